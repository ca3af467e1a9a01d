# SPDX-License-Identifier: GPL-2.0-only
"""What sampling takes from a load, beside what perf's cpu-clock takes."""

import math
import os
import statistics

from . import plot
from .part import per_kernel
from .running import guest, quietly, words

TITLE = "Overhead"
HELP = "time that sampling takes from a syscall-bound and a CPU-bound load"

ROUNDS, RATES = 3, (99, 997, 4999)
SAMPLERS = {"cpu-clock": "cpu-clock", "nmi_timer": "nmi_timer", "profile": "profile buffer"}
LOADS = {"syscalls": "syscall-bound", "cpu": "CPU-bound"}


def interval_of_median(values):
    """95 % interval of the median of what these are samples of, by their order alone: the
    number of values below it is binomial."""
    ordered, n = sorted(values), len(values)
    outside, low = 0.0, 0
    while low < (n - 1) // 2 and outside + math.comb(n, low) / 2 ** n <= 0.025:
        outside += math.comb(n, low) / 2 ** n
        low += 1
    return ordered[max(0, low - 1)], ordered[min(n - 1, n - low)]


class Overhead:
    def __init__(self, found):
        self.release = found["release"][0]
        self.percents, self.without, came = {}, {}, {}
        for line in found["pair"]:
            load, sampler, hz, without, with_, share = line.split()
            key = load, sampler, int(hz)
            self.percents.setdefault(key, []).append(100 * (float(with_) / float(without) - 1))
            self.without.setdefault(load, []).append(float(without))
            if sampler in ("nmi_timer", "profile"):
                came.setdefault(key, []).append(float(share))
        self.pairs = {hz: len(percents) for (_, _, hz), percents in self.percents.items()}
        self.came = min(statistics.median(shares) for shares in came.values())

    def median(self, *key):
        return statistics.median(self.percents[key])

    def interval(self, *key):
        return interval_of_median(self.percents[key])

    def cell(self, *key):
        low, high = self.interval(*key)
        return f"{self.median(*key):+.1f} % ({low:+.1f} to {high:+.1f})"

    def spread(self, load):
        """Of the middle half of the times without a sampler, in percent."""
        low, _, high = statistics.quantiles(self.without[load], n=4)
        return 100 * (high / low - 1)


@per_kernel
def measure_overhead(args, kernel, result):
    def once():
        return guest(kernel, "bench-overhead.py", str(ROUNDS), smp=os.cpu_count(), timeout=900)

    (output, shown), others = quietly(args, once)
    found = Overhead(words(output))
    result.commands.append(shown)
    result.facts.append(f"{kernel} is {found.release}, {os.cpu_count()} vCPUs, {others}")
    return found


def picture(kernel, found):
    script, groups = "", []
    for at, (sampler, name) in enumerate(SAMPLERS.items()):
        rows = [(f"{load}, {hz} Hz", max(0.0, found.median(load, sampler, hz)),
                 *(max(0.0, percent) for percent in found.interval(load, sampler, hz)))
                for load in LOADS for hz in RATES]
        script += plot.block(f"of{at}", rows)
        groups.append(f"$of{at} using 2:3:4{':xtic(1)' if not at else ''} title {plot.text(name)} "
                      f"lc rgb '{plot.COLORS[at]}'")
    script += (f"set title {plot.text(f'Time that sampling takes, {kernel}: median, 95 % interval')}\n"
               "set ylabel 'percent of the time without'\nset yrange [0:*]\n"
               "set style data histograms\nset style histogram errorbars gap 1 lw 1\n"
               "set style fill solid 0.9 border -1\nset key left top\nset xtics scale 0\nplot ")
    return plot.draw(f"overhead-{kernel}", script + ", ".join(groups) + "\n", (1100, 440))


def measure(args, result):
    found = measure_overhead(args, result)
    for load, name in LOADS.items():
        for hz in RATES:
            for sampler, what in SAMPLERS.items():
                cells = [one.cell(load, sampler, hz) for one in found]
                if sampler == "profile" and hz == 997:
                    result.row(f"{name}, {hz} Hz: {what}", cells, "<= cpu-clock",
                               [one.median(load, sampler, hz) <= one.median(load, "cpu-clock", hz)
                                for one in found])
                else:
                    result.row(f"{name}, {hz} Hz: {what}", cells)
        result.row(f"{name}, no sampler: middle half of its own times lies within",
                   [f"{one.spread(load):.1f} %" for one in found])
    # A sampler that does not sample costs nothing.
    result.row("Samples of nmi_timer and the profile that came, of those due, the case with the fewest",
               [f"{one.came:.2f}" for one in found], ">= 0.8", [one.came >= 0.8 for one in found])
    result.notes.append(
        f"Median of {found[0].pairs[997]} pairs at 997 Hz and {found[0].pairs[99]} at the others, and its "
        "95 % interval. A pair is two pieces of the load one after "
        "the other, some tenths of a second each, without and with the sampler; "
        f"{ROUNDS} rounds in one boot, each with all samplers in an order of chance. cpu-clock and "
        "nmi_timer: `perf record -a -F`, perf's process included. Syscall-bound: `dd bs=1`; CPU-bound: "
        "a Python loop; both on CPU 1.")
    result.pictures += [picture(kernel, one) for kernel, one in zip(result.columns, found)]
