# SPDX-License-Identifier: GPL-2.0-only
"""A dump of samples as the module prints it, and several dumps merged."""

from .errors import Failure

FIRST_LINE = "# nmiprof samples 1"


class Profile:
    """Samples by address. Bins of different size stay apart when merged."""

    def __init__(self):
        self.text = (0, 0)              # the kernel image's text: start, end
        self.granularity = 0            # bytes per bin, in the newest dump
        self.outside_granularity = 0
        self.user = 0
        self.idle = 0
        self.out_of_range = 0
        self.bins = {}                  # (address, bytes): [samples, with interrupts off]
        self.outside = {}               # the same outside the kernel image
        self.other = {}                 # key: value lines this tool does not know
        self.dumps = 0
        self.misstated = 0              # what dumps said they hold less what they held

    @property
    def samples(self):
        return (sum(count for count, _ in self.bins.values())
                + sum(count for count, _ in self.outside.values())
                + self.user + self.idle + self.out_of_range)

    @property
    def irqs_off(self):
        return (sum(off for _, off in self.bins.values())
                + sum(off for _, off in self.outside.values()))

    def ranges(self):
        """((address, bytes), samples, with interrupts off) of every bin."""
        for table in (self.bins, self.outside):
            for where, (count, off) in table.items():
                yield where, count, off

    def add(self, text):
        """Merge a dump into this profile; the number of samples it brought."""
        lines = text.splitlines()
        if not lines or lines[0].strip() != FIRST_LINE:
            start = lines[0][:40] if lines else ""
            raise Failure(f"the dump starts with '{start}', not with '{FIRST_LINE}'")
        before = self.samples
        stated = None
        for number, line in enumerate(lines[1:], 2):
            try:
                fields = line.split()
                if not fields or fields[0].startswith("#"):
                    continue
                key = fields[0]
                if key == "bin":
                    self._count(self.bins, self.granularity, fields)
                elif key == "out":
                    self._count(self.outside, self.outside_granularity, fields)
                elif key == "text":
                    found = (int(fields[1], 16), int(fields[2], 16))
                    if found != (0, 0):
                        self.text = found
                elif key in ("granularity", "outside_granularity"):
                    setattr(self, key, int(fields[1]))
                elif key in ("user", "idle", "out_of_range"):
                    setattr(self, key, getattr(self, key) + int(fields[1]))
                elif key == "samples":
                    stated = int(fields[1])
                else:
                    self.other[key] = " ".join(fields[1:])
            except (ValueError, IndexError):
                raise Failure(f"the dump's line {number} makes no sense: '{line[:60]}'") from None
        got = self.samples - before
        if stated is not None:
            self.misstated += stated - got
        self.dumps += 1
        return got

    @staticmethod
    def _count(table, size, fields):
        count, off = int(fields[2]), int(fields[3])
        if size <= 0 or not 0 <= off <= count:
            raise ValueError
        entry = table.setdefault((int(fields[1], 16), size), [0, 0])
        entry[0] += count
        entry[1] += off
