# SPDX-License-Identifier: GPL-2.0-only
"""Read sections of user mode, natively: real caches, real contention."""

import statistics

from .google_benchmark import NOTE, repetitions

TITLE = "Read sections, natively: liburcu beside locks"
HELP = "read sections of user mode on this machine, liburcu's beside locks"


def measure(args, result):
    found = repetitions(args, result, "bench-read-side", lambda name: name.partition("/")[0])
    threads = sorted({threads for _, threads in found})
    result.columns = [f"{n} thread{'s' * (n > 1)}" for n in threads]
    for op in dict.fromkeys(op for op, _ in found):
        runs = [found[op, n] for n in threads]
        result.row(f"{op}, ns", [f"{statistics.median(ns):.2f} ({min(ns):.2f} to {max(ns):.2f})"
                                 for ns in runs])
        if len(runs) > 1:
            one, every = (statistics.median(ns) for ns in runs)
            result.row("... with all threads / with one", ["", f"{every / one:.1f}"])
    result.notes += [
        f"{NOTE} for one empty section.",
        "rcu_memb is for threads that do nothing else for RCU; rcu_qsbr for those that say now and "
        "then that they are in no section, here after each 1000, as the kernel's do when they are "
        "scheduled.",
    ]
