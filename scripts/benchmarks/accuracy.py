# SPDX-License-Identifier: GPL-2.0-only
"""How near the samples come to a known truth, for nmi_timer and cpu-clock."""

import math

from . import plot
from .part import per_kernel, quietly_in_guest
from .perf_data import function_of, samples
from .running import TESTS

TITLE = "Accuracy"
HELP = "shares of work with interrupts off, by nmi_timer and cpu-clock, against the truth"

# Not the same: two clocks that keep step sample each other's handlers again and again.
RATE_HZ, CPU_CLOCK_HZ, SECONDS, ROUNDS = 997, 1009, 7, 3
PERCENTS, SECTIONS = (1, 5, 20, 50), {20: "20 us", 1000: "1 ms", 20000: "20 ms"}
EVENTS = ("nmi_timer", "cpu-clock")
LEAST = 1000                # samples, for a share to be worth anything
OFF, ON = "nmiprof_load_irqs_off", "nmiprof_load_irqs_on"


def interval(hits, n):
    """Wilson's 95 % interval of a share, in percent."""
    if not n:
        return 0.0, 100.0
    z, p = 1.96, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


class Case:
    def __init__(self, rounds):
        self.turns = {OFF: 0, ON: 0}
        self.hits = {event: {OFF: 0, ON: 0} for event in EVENTS}
        for folder in rounds:
            self.add(folder)
        self.truth = 100 * self.turns[OFF] / sum(self.turns.values())

    def add(self, folder):
        before, after = ([int(n) for n in line.split()]
                         for line in (folder / "truth").read_text().splitlines())
        for at, name in enumerate((OFF, ON)):
            self.turns[name] += after[at] - before[at]
        name_of = function_of((folder / "kallsyms").read_text(), "nmiprof_load")
        for sample in samples(folder / "perf.data"):
            name = name_of(sample.ip)
            if name in (OFF, ON):
                self.hits[sample.event][name] += 1

    def share(self, event):
        """(percent, low, high, samples)."""
        off, on = self.hits[event][OFF], self.hits[event][ON]
        return (100 * off / max(off + on, 1), *interval(off, off + on), off + on)

    def good(self):
        """Near the truth, and not by seeing nothing of a small one."""
        percent, _, _, n = self.share("nmi_timer")
        return n >= LEAST and abs(percent - self.truth) <= 2 and percent >= self.truth / 2

    def cell(self, event):
        percent, low, high, n = self.share(event)
        return f"{percent:.2f} % ({low:.1f} to {high:.1f}; n {n})"


class Accuracy:
    def __init__(self, folder):
        self.release = (folder / "release").read_text().strip()
        self.cases = {(percent, section): Case((folder / f"{percent}-{section}").iterdir())
                      for percent in PERCENTS for section in SECTIONS}


@per_kernel
def measure_accuracy(args, kernel, result):
    return quietly_in_guest(args, kernel, result, Accuracy, "bench-accuracy.sh",
                            f"{RATE_HZ} {CPU_CLOCK_HZ} {SECONDS} {ROUNDS}", 2, modules=[f"{TESTS}/nmiprof_load"],
                            timeout=900).cases


def picture(kernel, cases):
    script, curves = "", []
    for at, (section, label) in enumerate(SECTIONS.items()):
        for event in EVENTS:
            name = f"{event.replace('-', '_')}_{section}"
            script += plot.block(name, [
                # Side by side on the logarithmic axis.
                (case.truth * 1.06 ** (at - 1), max(share[0], 0.05), max(share[1], 0.05), share[2])
                for (percent, of), case in cases.items() if of == section
                for share in [case.share(event)]])
            color = plot.COLORS[0 if event == EVENTS[0] else 5]
            curves.append(f"${name} using 1:2:3:4 with yerrorbars pt {(7, 5, 9)[at]} ps 0.9 "
                          f"lc rgb '{color}' title {plot.text(f'{event}, {label}')}")
    script += (f"set title {plot.text(f'Share of work with interrupts off, {kernel}: seen against true')}\n"
               "set xlabel 'true share, percent'\nset ylabel 'share of the samples, percent'\n"
               "set logscale xy\nset xrange [0.7:80]\nset yrange [0.04:100]\n"
               "set xtics (1, 5, 20, 50)\n"
               "set ytics ('0' 0.05, '0.1' 0.1, '1' 1, '5' 5, '20' 20, '50' 50)\n"
               "set key outside right top\nplot x with lines lc rgb '#999999' dt 2 title 'truth', ")
    return plot.draw(f"accuracy-{kernel}", script + ", ".join(curves) + "\n")


def measure(args, result):
    found = measure_accuracy(args, result)
    for section, label in SECTIONS.items():
        for percent in PERCENTS:
            cases = [cases[percent, section] for cases in found]
            of = f"{percent} % in sections of {label}"
            result.row(f"{of}: truth", [f"{case.truth:.2f} %" for case in cases])
            result.row(f"{of}: **nmi_timer**", [case.cell("nmi_timer") for case in cases],
                       "within 2 points, and half of it seen", [case.good() for case in cases])
            result.row(f"{of}: cpu-clock", [case.cell("cpu-clock") for case in cases])
    result.notes += [
        f"Sessions of {SECONDS} s on CPU 1, one of each kind in each of {ROUNDS} rounds, all in one boot "
        f"and in an order of chance; nmi_timer at {RATE_HZ} Hz and cpu-clock at {CPU_CLOCK_HZ}. (At the "
        "same rate the two keep step, and NMIs find the other one's handler, which belongs to "
        "neither function, again and again.) A thread there calls one function with interrupts off, "
        "inside spin_lock_irqsave(), and another one with the same loop with interrupts on. The "
        "truth is counted in turns of the loop.",
        "Share: samples in the first function, of those in both. In brackets: 95 % interval "
        "(Wilson), as if samples were independent; n is the samples in both functions.",
    ]
    result.pictures += [picture(kernel, cases) for kernel, cases in zip(result.columns, found)]
