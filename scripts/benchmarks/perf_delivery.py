# SPDX-License-Identifier: GPL-2.0-only
"""Of the samples that perf's users are due by the clock, how many arrive."""

from nmiprof_lib.ledger import Ledger, group

from . import plot
from .part import exactness, per_kernel, quietly_in_guest, share
from .perf_data import samples
from .running import TESTS

TITLE = "Delivery through perf"
HELP = "samples due by the clock that arrive, of nmi_timer and cpu-clock in one session"

RATE_HZ, SECONDS, SESSIONS, MARGIN = 997, 12, 5, 1.0
EVENTS = ("nmi_timer", "cpu-clock")
OPEN, CLOSED = 0, 1         # CPUs: interrupts on; off for half of the work


class Session:
    def __init__(self, file):
        taken = list(samples(file))
        # A span of perf's own clock in which both events were on for certain.
        first = max(min(s.time for s in taken if s.event == event) for event in EVENTS) + MARGIN
        last = min(max(s.time for s in taken if s.event == event) for event in EVENTS) - MARGIN
        self.due = (last - first) * RATE_HZ
        self.counts = {(event, cpu): sum(s.event == event and s.cpu == cpu and first <= s.time < last
                                         for s in taken)
                       for event in EVENTS for cpu in (OPEN, CLOSED)}


class Delivery:
    def __init__(self, folder):
        self.release = (folder / "release").read_text().strip()
        ends = [Ledger.parse((folder / f"ledger-{name}").read_text()) for name in ("start", "end")]
        self.exact = [exactness(end) for end in ends]
        self.ledger = ends[1].since(ends[0])
        self.sessions = [Session(file) for file in sorted(folder.glob("*.data"))]

    def count(self, event, cpu):
        return sum(one.counts[event, cpu] for one in self.sessions)

    def due(self):
        return sum(one.due for one in self.sessions)

    def share(self, event, cpu):
        return self.count(event, cpu) / self.due()

    def ratio(self):
        """Interrupts on: nmi_timer's / cpu-clock's; least and most of the sessions."""
        def of(counts):
            return counts["nmi_timer", OPEN] / counts["cpu-clock", OPEN]

        ratios = [of(one.counts) for one in self.sessions]
        return of({(event, OPEN): self.count(event, OPEN) for event in EVENTS}), min(ratios), max(ratios)

    def missed(self, cpu):
        row = self.ledger.cpus[str(cpu)]
        named = {"coalesced": row["coalesced"], "perf_throttled": row["perf_throttled"]}
        named |= {f"skipped_{k}": v for k, v in group(row, "skipped_").items()}
        named |= {f"lost_{k}": v for k, v in group(row, "lost_").items()}
        return {name: count for name, count in named.items() if count}


@per_kernel
def measure_delivery(args, kernel, result):
    return quietly_in_guest(args, kernel, result, Delivery, "bench-perf-delivery.sh",
                            f"{RATE_HZ} {SECONDS} {SESSIONS}", 2, modules=[f"{TESTS}/nmiprof_load"], timeout=400)


def measure(args, result):
    found = measure_delivery(args, result)
    for cpu, what in ((OPEN, "interrupts on"), (CLOSED, "off for half of its work")):
        for event in EVENTS:
            result.row(f"CPU {cpu}, {what}: {event}, samples / due = share", [
                f"{d.count(event, cpu)} / {d.due():.0f} = {share(d.share(event, cpu))}" for d in found])
    ratios = [d.ratio() for d in found]
    result.row("Interrupts on: nmi_timer's share / cpu-clock's (of one session: least, most)",
               [f"{share(ratio)} ({share(low)}, {share(high)})" for ratio, low, high in ratios],
               ">= 1", [ratio >= 1 for ratio, _, _ in ratios])
    ratios = [d.share("nmi_timer", CLOSED) / d.share("nmi_timer", OPEN) for d in found]
    result.row("nmi_timer: share with interrupts off / with interrupts on",
               [f"{ratio:.4f}" for ratio in ratios], ">= 0.95", [ratio >= 0.95 for ratio in ratios])
    for cpu in (OPEN, CLOSED):
        result.row(f"CPU {cpu}: missed in all sessions, by reason", [
            ", ".join(f"{name} {count}" for name, count in d.missed(cpu).items()) or "none"
            for d in found])
    result.row("The ledger's equations, start and end",
               ["exact" if set(d.exact) == {"exact"} else "; ".join(d.exact) for d in found], "exact",
               [set(d.exact) == {"exact"} for d in found])
    result.notes.append(
        f"{RATE_HZ} Hz, {SESSIONS} sessions of {SECONDS} s less {MARGIN:.0f} s at each end, by the time stamps of perf's "
        "samples. CPU 0 runs a shell's loop, CPU 1 a kernel thread with interrupts off in sections of "
        "50 ms. The two vCPUs share the host's two CPUs with the emulator's other threads.")
    result.pictures += [plot.stacked_bars(
        f"perf-delivery-{kernel}", f"Samples that arrived, of 100 due, {kernel}", "percent",
        [(f"{event}, CPU {cpu}", [100 * d.share(event, cpu), max(0.0, 100 - 100 * d.share(event, cpu))])
         for cpu in (OPEN, CLOSED) for event in EVENTS], ("arrived", "missed"))
        for kernel, d in zip(result.columns, found)]
