# SPDX-License-Identifier: GPL-2.0-only
"""Per-CPU against shared counters, on this machine."""

import json
import os
import shlex
import statistics

from .running import Failure, quietly, run

TITLE = "Per-CPU against shared counters, natively"
HELP = "per-CPU against shared counters, on this machine"


def measure(args, result):
    command = ["make", "--no-print-directory", "-C", "kunit_tests/host", "bench",
               "BENCH=--benchmark_format=json --benchmark_repetitions=5"]
    output, others = quietly(args, lambda: run(command))
    result.commands.append(shlex.join(command))
    found = {}
    for item in json.loads(output[output.index("{"):])["benchmarks"]:
        if item["run_type"] == "iteration":
            if item.get("error_occurred"):
                raise Failure(f"{item['name']}: {item['error_message']}")
            found.setdefault((item["threads"], "shared:1" in item["name"]), []).append(
                # Time of one thread for one of its samples.
                item["threads"] * 1e9 / item["items_per_second"])
    result.columns = ["this host"]
    for threads in sorted({threads for threads, _ in found}):
        own, shared = found[threads, False], found[threads, True]
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
    result.notes.append("Median (lowest to highest) of 5 repetitions of Google Benchmark; time of "
                        "a thread for one of its samples.")
    result.facts.append(f"native, Linux {'.'.join(os.uname().release.split('.')[:2])}, {others}")
