# SPDX-License-Identifier: GPL-2.0-only
"""The whole way of a sample, in guest instructions, beside perf's cpu-clock."""

import statistics

from . import plot
from .part import per_kernel
from .running import TESTS, guest, words

TITLE = "Cost of a sample, all told"
HELP = "guest instructions of a sample from the timer to the buffer, beside cpu-clock's"

PERIOD_NS = 100_000
TIMER, SENDER, EXCEPTION, OWN, PERF = PARTS = (
    "kernel: timer interrupt", "nmiprof: sender", "kernel: NMI", "nmiprof: in the NMI", "perf")
WAYS = {
    "profile": "Profile buffer", "cpu_clock": "cpu-clock", "nmi_timer": "nmi_timer",
    "cpu_clock_g": "cpu-clock `-g`", "nmi_timer_g": "nmi_timer `-g`",
    "tracepoint": "Tracepoint nmiprof:nmi_sample, and the profile buffer",
}


class Path:
    def __init__(self, found):
        self.release = found["release"][0]
        self.calls = {name: int(values[0].split()[2]) for name, values in found.items()
                      if not name.startswith(("loop_", "samples_")) and name != "release"}
        self.loops = {name.removeprefix("loop_"): [[int(n) for n in value.split()] for value in values]
                      for name, values in found.items() if name.startswith("loop_")}
        off = statistics.mean(spent for spent, _ in self.loops["off"])
        self.whole = {}
        for name, runs in self.loops.items():
            spent, ns = (statistics.mean(column) for column in zip(*runs))
            self.whole[name] = (spent - off) / (ns / PERIOD_NS)
        self.samples = {name.removeprefix("samples_"): int(values[0])
                        for name, values in found.items() if name.startswith("samples_")}
        self.ways = {way: self.split(way) for way in WAYS}

    def split(self, way):
        timer = self.whole["timer"]
        if way.startswith("cpu_clock"):
            return {TIMER: timer, PERF: self.whole[way] - timer}
        exception = self.calls["exception"] - self.calls["foreign"]
        parts = {TIMER: timer, EXCEPTION: exception}
        if way == "profile":
            parts |= {OWN: self.calls["profile"], PERF: 0}
        elif way == "nmi_timer":
            parts |= {OWN: self.own(), PERF: self.calls["writer"]}
        else:
            # What it takes beyond the way that it goes along: perf's.
            alike = self.split("profile" if way == "tracepoint" else "nmi_timer")
            parts |= {OWN: alike[OWN], SENDER: alike[SENDER]}
            return parts | {PERF: self.whole[way] - sum(parts.values())}
        return parts | {SENDER: self.whole[way] - sum(parts.values())}

    def missing(self):
        """Of samples due in the loops, the largest share that did not come, in percent."""
        return max(100 * (1 - count / (self.loops[way][-1][1] / PERIOD_NS))
                   for way, count in self.samples.items())

    def own(self):
        return self.calls["nmi_timer"] - self.calls["writer"]

    def spread(self):
        """Instructions for a sample by which two runs of a loop differ, at most."""
        return max((max(runs)[0] - min(runs)[0]) / (runs[0][1] / PERIOD_NS)
                   for runs in self.loops.values())


@per_kernel
def measure_path(_, kernel, result):
    output, shown = guest(kernel, "bench-path.sh", str(PERIOD_NS), modules=[f"{TESTS}/nmiprof_cost"],
                          smp=1, icount=True, timeout=900)
    found = Path(words(output))
    result.commands.append(shown)
    result.facts.append(f"{kernel} is {found.release}, 1 vCPU")
    return found


def measure(args, result):
    found = measure_path(args, result)
    for way, name in WAYS.items():
        result.row(f"**{name}**", [f"**{path.whole[way]:.0f}**" for path in found])
        for part in PARTS:
            if part in found[0].ways[way] and (part != PERF or way != "profile"):
                result.row(f"of that {part}", [f"{path.ways[way][part]:.0f}" for path in found])
    shares = [path.calls["profile"] / path.ways["cpu_clock"][PERF] for path in found]
    result.row("Profile buffer's own code in the NMI / perf's code for cpu-clock",
               [f"{ratio:.3f}" for ratio in shares], "<= 0.1", [ratio <= 0.1 for ratio in shares])
    result.row("nmi_timer's own code in the NMI, beside perf's sample writer",
               [str(path.own()) for path in found], "<= 150", [path.own() <= 150 for path in found])
    for suffix, name in (("", ""), ("_g", " with `-g`")):
        ratios = [path.whole[f"nmi_timer{suffix}"] / path.whole[f"cpu_clock{suffix}"] for path in found]
        result.row(f"nmi_timer's whole way / cpu-clock's{name}", [f"{ratio:.2f}" for ratio in ratios],
                   "<= 1.5", [ratio <= 1.5 for ratio in ratios])
    missing = [path.missing() for path in found]
    result.row("Samples that did not come, of those due in a loop, at most",
               [f"{max(0.0, percent):.1f} %" for percent in missing], "<= 1 %",
               [percent <= 1 for percent in missing])
    result.notes += [
        "Whole ways: a loop of fixed work in kernel text, with and without the sampler; the "
        f"difference for each of its periods of {PERIOD_NS // 1000} us. Two runs of a loop differ by "
        f"at most {max(path.spread() for path in found):.0f} instructions for a sample, by where "
        "the kernel's own tick falls.",
        "Timer interrupt: the same with an hrtimer that does nothing. NMI: `int $2` and back, less "
        "what nmiprof takes of it. In the NMI: read around the call, median of 1001 NMIs. The "
        "sender is the rest, and with `-g` and the tracepoint perf is. perf's buffer is so large "
        "that its process does not run meanwhile.",
        "The only CPU sends to itself: the handler then looks below the timer interrupt for what "
        "was interrupted, and that is in the sender's rows.",
    ]
    for kernel, path in zip(result.columns, found):
        result.pictures.append(plot.stacked_bars(
            f"path-{kernel}", f"Guest instructions for a sample, {kernel}", "instructions",
            [(name.partition(",")[0].replace("`", "").replace("Tracepoint ", ""),
              [max(0.0, path.ways[way].get(part, 0)) for part in PARTS])
             for way, name in WAYS.items() if not way.endswith("_g")], PARTS))
