# SPDX-License-Identifier: GPL-2.0-only
"""Google Benchmark's benchmarks of kunit_tests/host/bench, run natively."""

import json
import os
import shlex

from .running import Failure, quietly, run

NOTE = "Median (lowest to highest) of 5 repetitions of Google Benchmark; time of a thread"


def repetitions(args, result, target, key):
    """{(key(name), threads): [ns of one thread for one of its items, of each repetition]}"""
    command = ["make", "--no-print-directory", "-C", "kunit_tests/host", target,
               "BENCH=--benchmark_format=json --benchmark_repetitions=5"]
    output, others = quietly(args, lambda: run(command))
    found = {}
    for item in json.loads(output[output.index("{"):])["benchmarks"]:
        if item["run_type"] == "iteration":
            if item.get("error_occurred"):
                raise Failure(f"{item['name']}: {item['error_message']}")
            found.setdefault((key(item["name"]), item["threads"]), []).append(
                item["threads"] * 1e9 / item["items_per_second"])
    result.commands.append(shlex.join(command))
    result.facts.append(f"native, Linux {'.'.join(os.uname().release.split('.')[:2])}, {others}")
    return found
