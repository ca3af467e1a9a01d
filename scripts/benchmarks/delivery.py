# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of the periods due while a CPU has interrupts off."""

import re

from nmiprof_lib.functions import Attribution
from nmiprof_lib.ledger import Ledger, group
from nmiprof_lib.profile import Profile
from nmiprof_lib.symbols import Kallsyms

from .part import exactness, per_kernel, quietly_in_guest, share
from .running import TESTS

TITLE = "Delivery"
HELP = "what becomes of the periods due while a CPU has interrupts off"

RATE_HZ, SECONDS = 997, 30
LOADED = "2"                # bench-delivery.sh's loaded CPU


def perf_rows(text):
    """`perf report -n -q --stdio`'s rows: [(samples, what)]."""
    return [(int(match[1]), match[2].strip())
            for match in re.finditer(r"^\s*[\d.]+%\s+(\d+)\s+(.*)$", text, re.M)]


class Delivery:
    def __init__(self, folder):
        def read(name):
            return (folder / name).read_text(errors="replace")

        self.release = read("release").strip()
        self.ends = [Ledger.parse(read(f"ledger-{name}")) for name in ("start", "end")]
        self.ledger = self.ends[1].since(self.ends[0])
        start, end = ([int(n) for n in read(f"clock-{name}").split()] for name in ("start", "end"))
        # The ledger was read somewhere between the two readings of each pair.
        self.seconds = ((end[0] - start[1]) / 1e6, (end[1] - start[0]) / 1e6)
        off, on = end[2] - start[2], end[3] - start[3]
        self.truth = 100 * off / (off + on)

        profile = Profile()
        profile.add(read("drain-end"))
        table = Kallsyms((folder / "kallsyms").read_bytes(), (folder / "modules").read_bytes(),
                         profile.text)
        rows = {row.name: row for row in Attribution(profile, table).rows}
        self.nmi = {name: rows[name].samples if name in rows else 0
                    for name in ("nmiprof_load_irqs_off", "nmiprof_load_irqs_on")}
        symbols = perf_rows(read("perf-symbols"))
        # `[k] name`, and columns that are empty here.
        symbols = [(n, re.sub(r"^\[.\] |[ \t-]+$", "", what)) for n, what in symbols]
        self.perf = {name: sum(n for n, what in symbols if what == name) for name in self.nmi}
        self.perf_top = "; ".join(f"`{what}` {n}" for n, what in symbols[:3])
        self.perf_cpus = {str(int(what)): n for n, what in perf_rows(read("perf-cpus"))}

    def delivered(self, cpu):
        row = self.ledger.cpus[cpu]
        return row["handled"] / row["due"] if row["due"] else 0.0

    def ratio(self):
        others = [self.delivered(cpu) for cpu in self.ledger.cpus if cpu != LOADED]
        return self.delivered(LOADED) / (sum(others) / len(others))


@per_kernel
def measure_delivery(args, kernel, result):
    return quietly_in_guest(args, kernel, result, Delivery, "bench-delivery.sh",
                            f"{RATE_HZ} {SECONDS}", 4, modules=[f"{TESTS}/nmiprof_load"], timeout=400)


def measure(args, result):
    found = measure_delivery(args, result)
    result.row("Share of the loaded CPU / mean share of the others",
               [f"{d.ratio():.3f}" for d in found], ">= 0.95", [d.ratio() >= 0.95 for d in found])
    for cpu in found[0].ledger.cpus:
        name = f"CPU {cpu}" + (" (loaded)" if cpu == LOADED else "")
        result.row(f"{name}: handled / due = share", [
            f"{d.ledger.cpus[cpu]['handled']} / {d.ledger.cpus[cpu]['due']} = "
            f"{share(d.delivered(cpu))}" for d in found])

    def missed(d, cpu):
        row = d.ledger.cpus[cpu]
        named = {"coalesced": row["coalesced"], "change of outstanding": row["outstanding"]}
        named |= {f"skipped_{k}": v for k, v in group(row, "skipped_").items()}
        named |= {f"lost_{k}": v for k, v in group(row, "lost_").items()}
        return ", ".join(f"{k} {v}" for k, v in named.items() if v) or "none"

    for cpu in found[0].ledger.cpus:
        result.row(f"CPU {cpu}: missed, by reason", [missed(d, cpu) for d in found])
    exact = [[exactness(end) for end in d.ends] for d in found]
    result.row("The three equations, every CPU, start and end",
               ["exact" if set(both) == {"exact"} else "; ".join(both) for both in exact], "exact",
               [set(both) == {"exact"} for both in exact])

    def by_clock(d):
        """Periods that the clock says: fewest and most, as the ledger takes time to read."""
        hz = 1e9 / (10 ** 9 // RATE_HZ)
        return int(d.seconds[0] * hz), int(d.seconds[1] * hz) + 1

    def dues(d):
        return sorted(row["due"] for row in d.ledger.cpus.values())

    result.row("Periods by the guest's clock, fewest to most",
               ["{} to {}".format(*by_clock(d)) for d in found])
    result.row("due, lowest and highest CPU", ["{} and {}".format(dues(d)[0], dues(d)[-1]) for d in found],
               "within 0.5 % of the clock",
               [by_clock(d)[0] * 0.995 <= dues(d)[0] and dues(d)[-1] <= by_clock(d)[1] * 1.005
                for d in found])

    def inside(counts):
        off, on = counts["nmiprof_load_irqs_off"], counts["nmiprof_load_irqs_on"]
        percent = f"{100 * off / (off + on):.1f} %" if off + on else "none"
        return f"{percent} ({off} of {off + on} samples)"

    result.row("Work with interrupts off, truth", [f"{d.truth:.1f} %" for d in found])
    result.row("the same, as nmiprof sees it", [inside(d.nmi) for d in found])
    result.row("the same, as cpu-clock sees it", [inside(d.perf) for d in found])
    result.row("cpu-clock's samples on the loaded CPU, and its first three symbols", [
        f"{d.perf_cpus.get(LOADED, 0)}; {d.perf_top}" for d in found])
    result.row("cpu-clock's samples on the other CPUs", [
        ", ".join(str(n) for cpu, n in sorted(d.perf_cpus.items()) if cpu != LOADED) for d in found])
    result.notes += [
        f"{RATE_HZ} Hz on each of 4 vCPUs, {SECONDS} s of the guest's clock. A thread on CPU "
        f"{LOADED} holds interrupts off in sections of 50 ms for half of its work; the truth is "
        "counted in turns of its loop.",
        "cpu-clock: `perf record -e cpu-clock -a` in the same run at the same rate; it began "
        "before and ended after nmiprof's span, so compare shares, not counts.",
        "coalesced: the NMI of the period before had not been taken yet. skipped_overrun: no "
        "sender ran between two periods. Both are the emulator's doing: four vCPUs share the "
        "host's CPUs.",
    ]
