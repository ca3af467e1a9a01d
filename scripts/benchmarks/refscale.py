# SPDX-License-Identifier: GPL-2.0-only
"""The read side of rcu_demo.ko beside the kernel's own refscale, in the same boot."""

import itertools
import json
import os
import statistics
import tempfile
from pathlib import Path

from .part import spaced
from .rcu import BESIDE, SCRIPT
from .running import build, guest, quietly

TITLE = "Read sections, beside the kernel's refscale"
HELP = "empty read sections by rcu_demo.ko and by the kernel's refscale, in turns in one boot"


def kernels(args):
    """Test kernels of the same series: the stock ones do not have refscale."""
    return list(dict.fromkeys(f"{name.partition('-')[0]}-plain" for name in args.kernel))


def measure_kernel(args, kernel, result):
    """{"ns": {readers: {op: {"ours": [ns of each run], "refscale": the same}}},
    "instructions": the same on one CPU}"""
    build(kernel)
    with tempfile.TemporaryDirectory(prefix="nmiprof-bench.") as folder:
        def once(**how):
            _, shown = guest(kernel, SCRIPT, "refscale", modules=["rcu_demo"], beside=BESIDE,
                             get=f"{folder}/out", timeout=900, **how)
            return json.loads(Path(folder, "out/refscale.json").read_text()), shown

        (by_time, shown), others = quietly(args, lambda: once(smp=os.cpu_count()))
        counted, shown_counted = once(smp=1, icount=True)
    result.commands += [shown, shown_counted]
    result.facts.append(f"{kernel}: {os.cpu_count()} vCPUs, {others}")
    return {"ns": by_time, "instructions": counted}


def same_order(ops):
    """Whether no two ops, whose runs do not overlap in either, are the other way round."""
    def clearly_less(a, b):
        return max(a) < min(b)

    return not any(clearly_less(a["ours"], b["ours"]) and clearly_less(b["refscale"], a["refscale"])
                   for a, b in itertools.permutations(ops.values(), 2))


def ratios(ops):
    return [statistics.median(of["ours"]) / statistics.median(of["refscale"]) for of in ops.values()]


def measure(args, result):
    result.columns = kernels(args)
    found = [measure_kernel(args, kernel, result) for kernel in result.columns]
    for unit in ("instructions", "ns"):
        for readers, ops in found[0][unit].items():
            for op in ops:
                seen = [of[unit][readers][op] for of in found]
                result.row(f"{op}, {readers} reader{'s' * (readers != '1')}, {unit}: ours; refscale's",
                           ["; ".join(f"{statistics.median(of[who]):.1f} ({min(of[who]):.1f} to "
                                      f"{max(of[who]):.1f})" for who in ("ours", "refscale"))
                            for of in seen])
            met = [same_order(of[unit][readers]) for of in found]
            result.row(f"... same order, {readers} readers, {unit}",
                       ["yes" if good else "no" for good in met], "yes", met)
            if unit == "instructions":
                of_all = [ratios(of[unit][readers]) for of in found]
                result.row("... ours / refscale's, least and most",
                           [f"{min(of):.2f} to {max(of):.2f}" for of in of_all], "0.8 to 1.2",
                           [min(of) >= 0.8 and max(of) <= 1.2 for of in of_all])
    runs = len(next(iter(found[0]["ns"].values()))["rcu"]["ours"])
    result.notes.append(f"Median, least and most of {spaced(runs)} runs of each. The two take turns. Two ops "
                        "are in the same order unless all runs of the one are less than all of the "
                        "other's here, and more there.")
