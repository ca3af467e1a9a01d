# SPDX-License-Identifier: GPL-2.0-only
"""Samples of bins turned into samples of functions."""

from .symbols import dominant

KERNEL = "kernel"
UNKNOWN = "[unknown]"


class Row:
    """A line of a report. irqs_off is None where the module does not tell it."""

    def __init__(self, name, module, address=None, samples=0, irqs_off=0):
        self.name = name
        self.module = module    # "kernel", a module's name, "[unknown]", None for [user] and such
        self.address = address
        self.samples = samples
        self.irqs_off = irqs_off

    @property
    def irqs_off_percent(self):
        if self.irqs_off is None or not self.samples:
            return None
        return 100.0 * self.irqs_off / self.samples


class Attribution:
    """Every sample of a profile in exactly one row."""

    def __init__(self, profile, table):
        self.samples = profile.samples
        self.ambiguous = 0      # samples of bins that two or more functions share
        self.unknown = 0        # samples of bins without a symbol
        rows = {}
        for (address, size), count, off in profile.ranges():
            pieces = table.covering(address, address + size)
            if len(pieces) > 1:
                self.ambiguous += count
            found = dominant(pieces)
            if found:
                start, _, name, module = found
                key = (start, name, module)
            else:
                self.unknown += count
                key = (address, f"{UNKNOWN} 0x{address:x}", UNKNOWN)
            row = rows.get(key)
            if row is None:
                row = rows[key] = Row(key[1], key[2] or KERNEL, key[0])
            row.samples += count
            row.irqs_off += off
        self.rows = list(rows.values())
        self.rows.append(Row("[user]", None, samples=profile.user, irqs_off=None))
        self.rows.append(Row("[idle]", None, samples=profile.idle, irqs_off=None))
        self.rows.append(Row("[out of range]", None, samples=profile.out_of_range, irqs_off=None))
        self.rows = [row for row in self.rows if row.samples]

    def by_module(self):
        """The rows added up by module; [user], [idle] and [out of range] as they are."""
        groups = {}
        for row in self.rows:
            key = row.module or row.name
            found = groups.get(key)
            if found is None:
                found = groups[key] = Row(key, row.module,
                                          irqs_off=None if row.irqs_off is None else 0)
            found.samples += row.samples
            if row.irqs_off is not None:
                found.irqs_off += row.irqs_off
        return list(groups.values())

    def percent(self, row):
        return 100.0 * row.samples / self.samples if self.samples else 0.0


def choose(attribution, rows, order="samples", limit=None, min_percent=0.0):
    """(rows to show in order, rows left out)."""
    if order == "irqs-off":
        rows = sorted(rows, key=lambda row: (-(row.irqs_off or 0), -row.samples, row.name))
    else:
        rows = sorted(rows, key=lambda row: (-row.samples, row.name))
    shown = [row for row in rows if attribution.percent(row) >= min_percent][:limit]
    kept = set(map(id, shown))
    return shown, [row for row in rows if id(row) not in kept]
