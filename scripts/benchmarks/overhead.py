# SPDX-License-Identifier: GPL-2.0-only
"""What sampling takes from a load, beside what perf's cpu-clock takes."""

import os
import statistics

from . import plot
from .part import per_kernel
from .running import guest, quietly, words

TITLE = "Overhead"
HELP = "time that sampling takes from a syscall-bound and a CPU-bound load"

ROUNDS, RATES = 7, (99, 997, 4999)
SAMPLERS = {"cpu-clock": "cpu-clock", "nmi_timer": "nmi_timer", "profile": "profile buffer"}
LOADS = {"syscalls": "syscall-bound", "cpu": "CPU-bound"}


class Overhead:
    def __init__(self, found):
        self.release = found["release"][0]
        times, self.came = {}, 1.0
        for line in found["run"]:
            load, sampler, hz, seconds, came = line.split()
            times.setdefault((load, sampler, int(hz)), []).append(float(seconds))
            if sampler in ("nmi_timer", "profile"):
                self.came = min(self.came, float(came))
        self.off = {load: times[load, "off", 0] for load in LOADS}
        # Each against the round's own run without a sampler.
        self.percents = {key: sorted(100 * (with_ / without - 1)
                                     for with_, without in zip(runs, self.off[key[0]]))
                         for key, runs in times.items() if key[1] != "off"}

    def median(self, *key):
        return statistics.median(self.percents[key])

    def cell(self, *key):
        all_ = self.percents[key]
        return f"{self.median(*key):+.1f} % ({all_[0]:+.1f} to {all_[-1]:+.1f})"


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
        rows = [(f"{LOADS[load]}, {hz} Hz", max(0.0, found.median(load, sampler, hz)),
                 max(0.0, found.percents[load, sampler, hz][0]), found.percents[load, sampler, hz][-1])
                for load in LOADS for hz in RATES]
        script += plot.block(f"of{at}", rows)
        groups.append(f"$of{at} using 2:3:4{':xtic(1)' if not at else ''} title {plot.text(name)} "
                      f"lc rgb '{plot.COLORS[at]}'")
    script += (f"set title {plot.text(f'Time that sampling takes, {kernel}: median, lowest, highest')}\n"
               "set ylabel 'percent of the time without'\nset yrange [0:*]\n"
               "set style data histograms\nset style histogram errorbars gap 1 lw 1\n"
               "set style fill solid 0.9 border -1\nset key left top\nset xtics scale 0\nplot ")
    return plot.draw(f"overhead-{kernel}", script + ", ".join(groups) + "\n", (1000, 440))


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
        result.row(f"{name}, no sampler: spread of its own times", [
            f"{100 * (max(one.off[load]) / min(one.off[load]) - 1):.1f} %" for one in found])
    # A sampler that does not sample costs nothing.
    result.row("Samples of nmi_timer and the profile that came, of those due, least of all runs",
               [f"{one.came:.2f}" for one in found], ">= 0.8", [one.came >= 0.8 for one in found])
    result.notes.append(
        f"Median (lowest to highest) of {ROUNDS} rounds in one boot; each round runs all samplers in "
        "an order of chance, and each time is compared with that round's without a sampler. "
        "cpu-clock and nmi_timer: `perf record -a -F`, perf's process included. Syscall-bound: `perf "
        "bench syscall basic`; CPU-bound: a Python loop; both on CPU 1.")
    result.pictures += [picture(kernel, one) for kernel, one in zip(result.columns, found)]
