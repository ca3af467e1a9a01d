# SPDX-License-Identifier: GPL-2.0-only
"""Names for addresses, from /proc/kallsyms or from a data file.

kallsyms gives no sizes. A function reaches to the next text symbol, but never
beyond the kernel image's text, the module it is in (by /proc/modules), the page
of a trampoline, or 64 KiB for anything else: what lies behind that is unknown,
not a part of whatever happens to come before it.
"""

import re
from bisect import bisect_left, bisect_right
from operator import itemgetter

from .errors import Failure

_LINE = re.compile(rb"^([0-9a-f]{16}) ([tTwW]) ([^\t\n]+)(?:[\t ]+\[([^\]\n]*)\])?", re.M)
_VISIBLE = re.compile(rb"^(?!0{16})[0-9a-f]{16} [tTwW] ", re.M)
_MARKER = re.compile(r"_[se]?(?:init)?text|__\w+_(?:start|end)")
_TYPE_RANK = {"T": 0, "W": 1, "t": 2, "w": 3}
_PFX = "__pfx_"
_LONGEST_UNBOUNDED = 64 * 1024
_PAGE = 4096


def check_visible(kallsyms):
    """A clear message when kallsyms does not show addresses."""
    if _VISIBLE.search(kallsyms):
        return
    if not _LINE.search(kallsyms):
        raise Failure("/proc/kallsyms has no text symbols")
    raise Failure("/proc/kallsyms hides the addresses: run `sysctl kernel.kptr_restrict=1`; "
                  "CAP_SYSLOG is needed as well")


def module_ranges(text):
    """{module: (start, end)} from /proc/modules."""
    result = {}
    for line in text.decode("ascii", "replace").splitlines():
        fields = line.split()
        try:
            start = int(fields[5], 16)
            if start:
                result[fields[0]] = (start, start + int(fields[1]))
        except (IndexError, ValueError):
            continue
    return result


class RangeTable:
    """Functions as sorted (start, end, name, module) that do not overlap."""

    def __init__(self, entries):
        self.entries = sorted(entries)
        self.starts = [entry[0] for entry in self.entries]

    def covering(self, start, end):
        """The functions within [start, end): [(entry, bytes of it in there)]."""
        result = []
        index = max(bisect_right(self.starts, start) - 1, 0)
        while index < len(self.entries) and self.starts[index] < end:
            entry = self.entries[index]
            share = min(end, entry[1]) - max(start, entry[0])
            if share > 0:
                result.append((entry, share))
            index += 1
        return result


class Kallsyms:
    """/proc/kallsyms, searched as text: only the symbols asked for cost anything."""

    def __init__(self, kallsyms, modules, text=(0, 0)):
        check_visible(kallsyms)
        # All addresses have 16 digits, so that the text sorts like the number.
        self._symbols = sorted(_LINE.findall(kallsyms), key=itemgetter(0))
        self._keys = [symbol[0] for symbol in self._symbols]
        self._modules = module_ranges(modules)
        self.set_text(text)

    def set_text(self, text):
        """The bounds of the kernel image's text, as the module found them."""
        self._text = text
        self._seen = {}

    def covering(self, start, end):
        """As RangeTable.covering()."""
        result = []
        index = self._group(max(bisect_right(self._keys, b"%016x" % start) - 1, 0))
        while index < len(self._keys) and int(self._keys[index], 16) < end:
            entry, following = self._entry(index)
            share = min(end, entry[1]) - max(start, entry[0])
            if share > 0:
                result.append((entry, share))
            index = following
        return result

    def _group(self, index):
        """The first of the symbols at the same address."""
        return bisect_left(self._keys, self._keys[index], 0, index + 1)

    def _best(self, index):
        """The name to show of those at one address: name, module, index of the next address."""
        following = bisect_right(self._keys, self._keys[index], index)
        chosen = min(self._symbols[index:following], key=_rank)
        return chosen[2].decode("ascii", "replace"), chosen[3].decode("ascii", "replace"), following

    def _entry(self, index):
        """The function at a group: ((start, end, name, module), index after it)."""
        if index in self._seen:
            return self._seen[index]
        name, module, following = self._best(index)
        first = index
        if name.startswith(_PFX):
            # The padding before a function, executable with some mitigations: a part of it.
            name = name[len(_PFX):]
            if following < len(self._keys):
                next_name, next_module, after = self._best(following)
                if (next_name, next_module) == (name, module):
                    following = after
        elif index > 0:
            before = self._group(index - 1)
            if self._best(before)[:2] == (_PFX + name, module):
                first = before
        start = int(self._keys[first], 16)
        end = self._end(start, module, following)
        found = (start, end, name, module), following
        self._seen[index] = found
        return found

    def _end(self, start, module, following):
        ends = []
        same_module = False
        if following < len(self._keys):
            ends.append(int(self._keys[following], 16))
            same_module = self._best(following)[1] == module
        if not module:
            if self._text[0] <= start < self._text[1]:
                ends.append(self._text[1])
            elif not same_module:
                ends.append(start + _LONGEST_UNBOUNDED)
        elif module.startswith("__builtin__"):
            ends.append((start // _PAGE + 1) * _PAGE)
        else:
            low, high = self._modules.get(module, (0, 0))
            ends.append(high if low <= start < high else start + _LONGEST_UNBOUNDED)
        return min(ends)


def _rank(symbol):
    """Sorts the aliases of an address, the one to show first."""
    _, kind, name, _ = symbol
    name = name.decode("ascii", "replace")
    return (name.startswith(_PFX), _MARKER.fullmatch(name) is not None,
            name.startswith("__pi_"), _TYPE_RANK[kind.decode()],
            len(name) - len(name.lstrip("_")))


def dominant(pieces):
    """Of RangeTable.covering(), the function with most bytes; the first of equals."""
    return max(pieces, key=itemgetter(1))[0] if pieces else None


def excerpt(profile, late, early):
    """The functions that a profile needs, by the tables from before and after it.

    Returns (RangeTable, samples with another name before than after). Names of
    before are used where there is none after: a module was unloaded meanwhile.
    """
    keep, fallback, conflicting = set(), set(), 0
    for (address, size), count, _ in profile.ranges():
        pieces = late.covering(address, address + size)
        keep.update(entry for entry, _ in pieces)
        if early is not late:
            old = early.covering(address, address + size)
            fallback.update(entry for entry, _ in old)
            if pieces and old and dominant(pieces)[2:] != dominant(old)[2:]:
                conflicting += count
    for start, end, name, module in fallback:
        # Only where the newer table knows nothing does the old name hold.
        position = start
        for newer, _ in late.covering(start, end):
            if position < newer[0]:
                keep.add((position, newer[0], name, module))
            position = max(position, newer[1])
        if position < end:
            keep.add((position, end, name, module))
    return RangeTable(keep), conflicting
