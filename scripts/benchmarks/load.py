# SPDX-License-Identifier: GPL-2.0-only
"""Loading and unloading."""

from .part import per_kernel, spaced
from .running import guest, quietly, words

TITLE = "Loading and unloading"
HELP = "time from insmod to the first sample, and of rmmod"


@per_kernel
def measure_load(args, kernel, result):
    (output, shown), others = quietly(args, lambda: guest(kernel, "bench-load.sh", smp=4))
    found = words(output)
    result.commands.append(shown)
    result.facts.append(f"{kernel} is {found['release'][0]}, 4 vCPUs, {others}")
    sizes = dict(zip(("whole", "stripped"), map(int, found["bytes"][0].split())))
    return sizes, {name: [int(n) / 1000 for n in found[name]]
                   for name in ("first", "stripped", "process", "kernel", "unload")}


def measure(args, result):
    found = measure_load(args, result)
    for name, text, limit in (
            ("first", "`insmod nmiprof.ko enable=1`, its start to the first sample", 100),
            ("stripped", "the same after `strip -g nmiprof.ko`", 100),
            ("process", "of that the process alone (`insmod --version`)", None),
            ("kernel", "`finit_module()`, what insmod calls, its start to the first sample", 100),
            ("unload", "`rmmod nmiprof` while sampling at 10 000 Hz", 1000)):
        cells = [f"{max(times[name]):.1f} ({', '.join(f'{n:.1f}' for n in times[name])})"
                 for _, times in found]
        if limit:
            result.row(f"{text}, ms", cells, f"< {limit}",
                       [max(times[name]) < limit for _, times in found])
        else:
            result.row(f"{text}, ms", cells)
    result.row("nmiprof.ko, bytes (after `strip -g`)",
               [f"{spaced(sizes['whole'])} ({spaced(sizes['stripped'])})" for sizes, _ in found])
    result.notes.append("Longest of five (each of them), guest time. The first sample is looked "
                        "for when insmod has returned, so it may have come earlier.")
