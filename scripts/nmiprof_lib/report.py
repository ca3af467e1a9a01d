# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof report: functions by samples, from a data file."""

import shlex

from .datafile import load
from .functions import Attribution, choose
from .ledger import equations
from .output import duration, folded, ledger_lines, percent, print_json, rate, table


def run(args):
    recording = load(args.input)
    attribution = Attribution(recording.profile, recording.symbols)
    rows = attribution.by_module() if args.by_module else attribution.rows
    shown, hidden = choose(attribution, rows, args.sort, args.limit, args.min_percent)
    if args.json:
        print_json(_document(args, recording, attribution, shown, hidden))
    elif args.folded:
        for line in folded(shown, args.by_module):
            print(line)
    else:
        _print_table(args, recording, attribution, shown, hidden)
    return 0


def _print_table(args, recording, attribution, shown, hidden):
    for line in table(attribution, shown, "MODULE" if args.by_module else "FUNCTION"):
        print(line)
    if hidden:
        samples = sum(row.samples for row in hidden)
        print(f"({len(hidden)} lines with {samples} samples not shown)")
    print()
    print(f"PERCENT is of all {attribution.samples} samples, [user], [idle] and [out of range] "
          "included;")
    print("IRQS-OFF% is of the line's own samples.")
    print()
    for line in _footer(recording, attribution):
        print(line)


def _footer(recording, attribution):
    facts, settings, profile = recording.facts, recording.settings, recording.profile

    def line(name, text):
        return f"{name:<12}{text}"
    binned = profile.samples - profile.user - profile.idle - profile.out_of_range
    yield line("samples", f"{profile.samples} in {duration(facts['duration'])} "
               f"({rate(profile.samples, facts['duration'])}); "
               f"{profile.irqs_off} of the {binned} in kernel code had interrupts off")
    yield line("rate", f"{settings['rate_hz']} Hz on each of CPUs {settings['cpus']}")
    yield line("bins", f"{profile.granularity} bytes, {profile.outside_granularity} outside the "
               f"kernel image; layout {settings['layout']}")
    yield line("shared bins", f"{attribution.ambiguous} samples "
               f"({_share(attribution.ambiguous, profile.samples)}) lie in bins shared by two or "
               "more functions; each is counted for the function with most bytes of its bin")
    if facts.get("samples_renamed"):
        yield line("renamed", f"{facts['samples_renamed']} samples lie where the start of the "
                   "recording had another function than its end; they have the name of the end")
    for number, text in enumerate(ledger_lines(recording.ledger.total)):
        yield line("" if number else "ledger", text)
    yield line("recorded", f"{facts['start']} to {facts['end']}, "
               f"Linux {facts['kernel'].get('release', '?')}")
    if facts.get("command"):
        status = facts.get("command_status")
        yield line("command", shlex.join(facts["command"]) + f", exit status {status}")
    if facts.get("incomplete"):
        yield line("INCOMPLETE", "the recording ended with an error")
    for warning in facts["warnings"]:
        yield line("warning", warning)


def _share(part, whole):
    return percent(100.0 * part / whole if whole else 0.0, 1) + "%"


def _rounded(value):
    return None if value is None else round(value, 4)


def _document(args, recording, attribution, shown, hidden):
    profile, facts = recording.profile, recording.facts

    def entry(row):
        result = {
            "name": row.name,
            "module": row.module,
            "samples": row.samples,
            "percent": _rounded(attribution.percent(row)),
            "irqs_off": row.irqs_off,
            "irqs_off_percent": _rounded(row.irqs_off_percent),
        }
        if not args.by_module:
            result["address"] = None if row.address is None else f"0x{row.address:x}"
        return result
    return {
        "schema": "nmiprof report",
        "version": 1,
        "file": args.input,
        **facts,
        "settings": recording.settings,
        "granularity": profile.granularity,
        "outside_granularity": profile.outside_granularity,
        "samples": profile.samples,
        "user": profile.user,
        "idle": profile.idle,
        "out_of_range": profile.out_of_range,
        "irqs_off": profile.irqs_off,
        "ambiguous": attribution.ambiguous,
        "unknown": attribution.unknown,
        "ledger": {**recording.ledger.as_dict(), "equations": equations(recording.ledger.total)},
        "modules" if args.by_module else "functions": [entry(row) for row in shown],
        "not_shown": {"rows": len(hidden), "samples": sum(row.samples for row in hidden)},
    }
