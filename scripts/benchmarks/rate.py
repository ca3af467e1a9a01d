# SPDX-License-Identifier: GPL-2.0-only
"""NMIs per second that one vCPU takes."""

from nmiprof_lib.ledger import Ledger

from .part import exactness, per_kernel, spaced
from .running import guest, quietly, words

TITLE = "Rate"
HELP = "NMIs per second that one vCPU takes"


@per_kernel
def measure_rate(args, kernel, result):
    (output, shown), others = quietly(args, lambda: guest(
        kernel, "bench-rate.sh", modules=["nmiprof_torture"], smp=2))
    found = words(output)
    result.commands.append(shown)
    result.facts.append(f"{kernel} is {found['release'][0]}, 2 vCPUs, {others}")
    rates = []
    for window in found["window"]:
        us, handled = map(int, window.split())
        rates.append(handled * 1_000_000 // us)
    return found, sorted(rates), Ledger.parse("\n".join(
        [*found["ledger"], found["ledger"][1].replace("1 ", "total ", 1)]))


def measure(args, result):
    found = measure_rate(args, result)
    result.row("NMIs handled per second by one vCPU, median of three spans of 5 s",
               [spaced(rates[1]) for _, rates, _ in found], ">= 100 000",
               [rates[1] >= 100_000 for _, rates, _ in found])
    result.row("lowest and highest of the three",
               [f"{spaced(rates[0])}, {spaced(rates[2])}" for _, rates, _ in found])
    result.row("NMIs handled in all", [spaced(ledger.total["handled"]) for _, _, ledger in found])
    result.row("Unknown NMIs", [values["unknown"][0] for values, _, _ in found], "0",
               [values["unknown"][0] == "0" for values, _, _ in found])
    result.row("The ledger's equations", [exactness(ledger) for _, _, ledger in found], "exact",
               [exactness(ledger) == "exact" for _, _, ledger in found])
    result.notes.append("CPU 0 does nothing but send to CPU 1, which counts into the profile. "
                        "Seconds are the guest's, the count is the ledger's `handled`.")
