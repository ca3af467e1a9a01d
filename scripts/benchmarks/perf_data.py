# SPDX-License-Identifier: GPL-2.0-only
"""Samples out of perf.data, read by this machine's perf."""

import collections
import re
import subprocess

from .running import run

Sample = collections.namedtuple("Sample", "cpu time event ip")
LINE = re.compile(r"\s*\[(\d+)\]\s+([\d.]+):\s+(\S+?):+\s+([0-9a-f]+)")


def samples(path):
    """Time in seconds, event as perf names it without its modifiers."""
    for line in run(["perf", "script", "--ns", "-F", "cpu,time,event,ip", "-i", str(path)],
                    f"perf script -i {path.name}", subprocess.DEVNULL).splitlines():
        if match := LINE.match(line):
            yield Sample(int(match[1]), float(match[2]), match[3].partition("/")[0], int(match[4], 16))


def function_of(kallsyms, module):
    """A function from an address to the name of the module's function there, or None."""
    names = []
    for line in kallsyms.splitlines():
        words = line.split()
        if len(words) == 4 and words[3] == f"[{module}]" and words[1] in "tT":
            names.append((int(words[0], 16), words[2]))
    names.sort()
    # The last one ends with its page.
    ends = [start for start, _ in names[1:]] + [(names[-1][0] | 0xfff) + 1] if names else []

    def find(ip):
        for (start, name), end in zip(names, ends):
            if start <= ip < end:
                return name
        return None
    return find
