# SPDX-License-Identifier: GPL-2.0-only
"""What the buffers take."""

import re

from .part import per_kernel
from .running import guest, words

TITLE = "Memory"
HELP = "what the buffers take"

MIB = 1 << 20
MEMORY_CPUS = (1, 4, 8)


@per_kernel
def measure_memory(_, kernel, result):
    found = []
    for cpus in MEMORY_CPUS:
        output, shown = guest(kernel, "bench-memory.sh", smp=cpus)
        found.append({name: values[0] for name, values in words(output).items()})
        result.commands.append(shown)
    result.facts.append(f"{kernel} is {found[0]['release']}, vCPUs as stated")
    return found


def measure(args, result):
    found = measure_memory(args, result)
    for at, cpus in enumerate(MEMORY_CPUS):
        sets = [runs[at] for runs in found]
        live = [int(values["buffer_bytes"]) for values in sets]
        # The live buffer, the one that replaces it, and the sum over CPUs.
        peak = [2 * n + n // cpus for n in live]
        limit = min(8 * cpus, 256)
        result.row(f"{cpus} vCPU: bytes of text per counter, chosen",
                   [values["granularity"] for values in sets])
        result.row(f"{cpus} vCPU: buffer, MiB for each CPU (in all)",
                   [f"{n / cpus / MIB:.2f} ({n / MIB:.2f})" for n in live])
        result.row(f"{cpus} vCPU: in a drain at most (2 x buffer + 1 x one CPU's), MiB in all",
                   [f"{n / MIB:.2f}" for n in peak], f"<= {limit}", [n <= limit * MIB for n in peak])
        taken = [int(values["taken_kib"]) * 1024 for values in sets]
        result.row(f"{cpus} vCPU: memory that enabling really took, MiB",
                   [f"{n / MIB:.2f}" for n in taken])
        peak = [2 * n + n // cpus for n in taken]
        result.row(f"{cpus} vCPU: in a drain at most, by what it really took, MiB in all",
                   [f"{n / MIB:.2f}" for n in peak], f"<= {limit}", [n <= limit * MIB for n in peak])
        kept = [values["after_granularity"] == values["granularity"]
                and values["after_bytes"] == values["buffer_bytes"]
                and int(values["samples_meanwhile"]) > 0
                and re.search("range|memory", values["refused"]) is not None for values in sets]
        result.row(f"{cpus} vCPU: `echo 4 > granularity`; afterwards", [
            f"{values['refused']}; "
            f"{'the old buffer goes on' if good else 'buffer ' + values['after_bytes'] + ' bytes'}"
            f", {values['samples_meanwhile']} samples in the next second"
            for values, good in zip(sets, kept)], "ERANGE or ENOMEM, goes on", kept)
    result.notes.append(f"The line in the log: `{found[0][1]['message']}`")
    result.notes.append("ERANGE is 'Numerical result out of range', ENOMEM 'Cannot allocate "
                        "memory'. What enabling really took: the fall of MemAvailable and of the free "
                        "pages in the CPUs' lists; both move a little by themselves.")
