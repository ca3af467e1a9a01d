# SPDX-License-Identifier: GPL-2.0-only
"""What nmiprof adds to an NMI, in guest instructions."""

from .part import per_kernel
from .running import TESTS, guest, words

TITLE = "Cost of an NMI"
HELP = "guest instructions of the NMI handler, beside perf's"

COSTS = (
    ("classic", "Classic handler (dereference, null, range, atomic increment), inline"),
    ("percpu", "nmiprof: claim, registry, ledger, per-CPU buffer"),
    ("shared", "nmiprof: the same, shared atomic buffer"),
    ("nothing", "nmiprof: its own NMI, nothing registered"),
    ("foreign", "nmiprof: an NMI that is not its own, nothing registered"),
    ("perf", "perf's sample writer"),
    ("perf_g", "perf's sample writer with call chain (`-g`)"),
)


@per_kernel
def measure_cost(_, kernel, result):
    boots = []
    for _ in range(2):
        output, shown = guest(kernel, "bench-cost.sh", modules=[f"{TESTS}/nmiprof_cost"], smp=1, icount=True)
        boots.append({name: values[0] for name, values in words(output).items()})
        result.commands.append(shown)
    result.facts.append(f"{kernel} is {boots[0]['release']}, 1 vCPU")
    return boots


def measure(args, result):
    found = measure_cost(args, result)
    numbers = [[{key: [int(n) for n in boot[key].split()] for key, _ in COSTS} for boot in boots]
               for boots in found]
    for key, text in COSTS:
        cells = []
        for boots in numbers:
            both = {boot[key][2] for boot in boots}
            low = min(boot[key][1] for boot in boots)
            high = max(boot[key][3] for boot in boots)
            cells.append(" / ".join(str(n) for n in sorted(both))
                         + (f" ({low} to {high})" if low != high else ""))
        if key == "percpu":
            result.row(text, cells, "<= 64",
                       [all(boot[key][2] <= 64 for boot in boots) for boots in numbers])
        else:
            result.row(text, cells)
    runs = numbers[0][0]["percpu"][0]
    result.notes.append(f"Guest instructions from entry to return, median of {runs} NMIs "
                        "(lowest to highest where they differ).")
    for kernel, boots in zip(result.columns, found):
        differ = [text for key, text in COSTS if boots[0][key] != boots[1][key]]
        result.notes.append(
            f"{kernel}: two boots gave identical figures, each minimum, median and maximum."
            if not differ else f"{kernel}: two boots gave identical figures but for: "
            + "; ".join(f"{text}: {boots[0][key]} and {boots[1][key]} (runs, minimum, median, "
                        "maximum)" for key, text in COSTS if text in differ) + ".")
    result.row("Identical figures in two boots",
               ["yes" if boots[0] == boots[1] else "all but perf's"
                if all(boots[0][key] == boots[1][key] for key, _ in COSTS if "perf_" not in key
                       and key != "perf") else "no" for boots in found],
               "nmiprof's", [all(boots[0][key] == boots[1][key] for key, _ in COSTS
                                 if not key.startswith("perf")) for boots in found])
