# SPDX-License-Identifier: GPL-2.0-only
"""Per-CPU against shared counters, on this machine."""

import statistics

from .google_benchmark import NOTE, repetitions

TITLE = "Per-CPU against shared counters, natively"
HELP = "per-CPU against shared counters, on this machine"


def measure(args, result):
    found = repetitions(args, result, "bench", lambda name: "shared:1" in name)
    result.columns = ["this host"]
    for threads in sorted({threads for _, threads in found}):
        own, shared = found[False, threads], found[True, threads]
        times = f"{threads} thread{'s on one hot bin' if threads > 1 else ''}"
        for name, values in (("per-CPU", own), ("shared atomic", shared)):
            result.row(f"{times}: {name}, ns for a sample", [
                f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"])
        ratio = statistics.median(shared) / statistics.median(own)
        worst = min(shared) / max(own)
        if threads == 2:
            result.row(f"{times}: shared / per-CPU, of medians (of the extremes)",
                       [f"{ratio:.1f} ({worst:.1f})"], ">= 10", [ratio >= 10])
        else:
            result.row(f"{times}: shared / per-CPU, of medians", [f"{ratio:.1f}"])
    result.notes.append(f"{NOTE} for one of its samples.")
