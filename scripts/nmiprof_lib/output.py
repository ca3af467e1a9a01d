# SPDX-License-Identifier: GPL-2.0-only
"""Tables, JSON and folded stacks."""

import json

from .ledger import equations, group


def print_json(document):
    print(json.dumps(document, indent=2))


def percent(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def label(row):
    if row.module in (None, "kernel", "[unknown]") or row.module == row.name:
        return row.name
    return f"{row.name} [{row.module}]"


def table(attribution, rows, heading="FUNCTION"):
    """The lines of a table of functions or modules."""
    width = max([len("SAMPLES"), *(len(str(row.samples)) for row in rows)])
    lines = [f"{'SAMPLES':>{width}}  PERCENT  IRQS-OFF%  {heading}"]
    for row in rows:
        lines.append(f"{row.samples:>{width}}  {percent(attribution.percent(row)):>7}  "
                     f"{percent(row.irqs_off_percent, 1):>9}  {label(row)}")
    return lines


def folded(rows, by_module=False):
    """Stacks for flame graphs: each sample in one line only."""
    for row in rows:
        if row.module is None or by_module:
            stack = row.name
        elif row.module == "[unknown]":
            stack = f"{row.module};0x{row.address:x}"
        else:
            stack = f"{row.module};{row.name}"
        on = row.samples - (row.irqs_off or 0)
        if on:
            yield f"{stack} {on}"
        if row.irqs_off:
            yield f"{stack};[irqs off] {row.irqs_off}"


def reasons(row, prefix):
    """'90 (overrun 50, offline 40)'."""
    parts = group(row, prefix)
    text = str(sum(parts.values()))
    return f"{text} ({', '.join(f'{name} {value}' for name, value in parts.items())})" if parts else text


def ledger_lines(row):
    """The ledger in short; every term of the table is in it."""
    shown = {"due", "sent", "handled", "outstanding", "coalesced", "samples",
             "binned", "user", "idle", "no_buffer", "out_of_range",
             "perf_due", "perf_delivered", "perf_excluded", "perf_throttled"}
    other = [f"{name} {value}" for name, value in row.items()
             if name not in shown and not name.startswith(("skipped_", "lost_"))]
    lines = [
        f"due {row['due']} = sent {row['sent']} + coalesced {row['coalesced']} "
        f"+ skipped {reasons(row, 'skipped_')}",
        f"sent {row['sent']} = handled {row['handled']} + outstanding {row['outstanding']} "
        f"+ lost {reasons(row, 'lost_')}",
        f"samples {row['samples']} = binned {row['binned']} + user {row['user']} "
        f"+ idle {row['idle']} + no buffer {row['no_buffer']} + out of range {row['out_of_range']}",
    ]
    if row["perf_due"]:
        lines.append(f"perf {row['perf_due']} = delivered {row['perf_delivered']} + excluded "
                     f"{row['perf_excluded']} + throttled {row['perf_throttled']}")
    if other:
        lines.append("besides: " + ", ".join(other))
    for check in equations(row):
        if not check["holds"]:
            lines.append(f"DOES NOT ADD UP: {check['equation']}: {check['numbers']}, "
                         f"difference {check['difference']:+d}")
    return lines


def duration(seconds):
    return f"{seconds:.1f} s"


def rate(samples, seconds):
    return f"{samples / seconds:.1f}/s" if seconds > 0 else "-"
