# SPDX-License-Identifier: GPL-2.0-only
"""What rcu_demo.ko shows: RCU beside what it replaces."""

import json
import os
import statistics
import tempfile
from pathlib import Path

from . import plot
from .part import per_kernel
from .running import Failure, guest, quietly

TITLE = "RCU beside what it replaces"
HELP = "rcu_demo.ko: readers beside a writer, ways to reclaim, cost of an update, read side"

SCRIPT, BESIDE = "rcu_measure.py", ("rcu_demo_guest.py", "nmiprof_guest.py")
WAYS = ("synchronize_rcu", "call_rcu", "kfree_rcu")
PROTECTIONS = ("rcu", "rwlock", "spinlock")
BY_TIME = ("protections", "lists", "ways", "read-side", "readers", "buffer", "waits")
COUNTED = ("sizes", "instructions")         # on one CPU, in instructions
READERS = {"pid_table": "PID table, lookups/s", "ip_options": "IP options, packets/s",
           "typesafe": "Type-safe memory, reads/s"}


class Found:
    """The figures of the parts that were measured, as rcu_measure.py left them."""

    def __init__(self, folder):
        self.of = {file.stem: json.loads(file.read_text()) for file in Path(folder).glob("*.json")}

    def scans(self, protection, size=None):
        """(scans/s without a writer, with one, its updates/s), medians; quartiles of the
        pairs' ratios. In the list of the default size if no other is given."""
        of = (self.of["lists"][size] if size else self.of["protections"])[protection]
        ratios = [b / a for a, b in zip(of["alone"], of["with_writer"])]
        return (*(statistics.median(of[key]) for key in ("alone", "with_writer", "updates")),
                statistics.quantiles(ratios, n=4))

    def updates(self, way):
        return self.of["ways"][way]["updates"]

    def sections(self, unit="ns", part="read-side", section="0", writer="0"):
        """{op: {readers: [each run]}}"""
        found = {}
        for row in self.of[part]:
            if (row["section_ns"], row["writer"]) == (section, writer):
                found.setdefault(row["op"], {}).setdefault(int(row["readers"]), []).append(
                    float(row[unit]))
        return found

    def instructions(self, op):
        return statistics.median(self.sections("cycles", "instructions")[op][1])

    def update_cost(self):
        """{persons: ns; instructions where they are counted}"""
        return {int(size): ns for size, ns in self.of["sizes"].items()}


# Pictures; each Markdown


def read_side_picture(found, kernel, **where):
    script, lines, most = "set logscale y\n", [], 1
    for at, (op, by_readers) in enumerate(found.sections().items()):
        most = max(most, *by_readers)
        script += plot.block(f"of{at}", [(readers, statistics.median(runs), min(runs), max(runs))
                                         for readers, runs in sorted(by_readers.items())])
        color = plot.COLORS[at % len(plot.COLORS)]
        lines += [f"$of{at} using 1:2 with linespoints lw 2 pt {at + 4} lc rgb '{color}' "
                  f"title {plot.text(op)}",
                  f"$of{at} using 1:2:3:4 with yerrorbars ps 0 lc rgb '{color}' notitle"]
    script += (f"set title {plot.text(f'An empty read section, {kernel}: median and extremes of the runs')}\n"
               "set xlabel 'readers, one to a CPU'\nset ylabel 'ns'\nset xtics 1\n"
               f"set xrange [0.8:{most + 0.2}]\nset key outside right top\nplot ")
    return plot.draw(f"rcu-read-side-{kernel}", script + ", ".join(lines) + "\n", (900, 460), **where)


def grace_period_picture(found, kernel, **where):
    ways = found.of["ways"]
    buckets = sorted({us for of in ways.values() for us, _ in of["histogram"]})
    rows = []
    for us in buckets:
        rows.append((f"{us / 1000:.2g}", *(100 * dict(map(tuple, ways[way]["histogram"])).get(us, 0)
                                         / sum(n for _, n in ways[way]["histogram"]) for way in WAYS)))
    script = plot.block("h", rows)
    script += (f"set title {plot.text(f'From replacing to freeing, {kernel}')}\n"
               "set xlabel 'from so many ms to twice that'\nset ylabel 'percent of the objects'\n"
               "set style data histograms\nset style histogram cluster gap 1\n"
               "set style fill solid 0.9 border -1\nset key right top\nplot ")
    script += ", ".join(f"$h using {at + 2}{':xtic(1)' if not at else ''} title {plot.text(way)} "
                        f"lc rgb '{plot.COLORS[at]}'" for at, way in enumerate(WAYS))
    return plot.draw(f"rcu-grace-periods-{kernel}", script + "\n", **where)


def update_picture(found, kernel, unit, **where):
    script = plot.block("of", sorted(found.update_cost().items()))
    script += (f"set title {plot.text(f'An update, without the grace period, {kernel}')}\n"
               f"set xlabel 'persons in the list'\nset ylabel '{unit}'\nset logscale x\n"
               "set format x '10^{%L}'\nset termoption enhanced\nset yrange [0:*]\nunset key\n"
               f"plot $of with linespoints lw 2 pt 7 lc rgb '{plot.COLORS[0]}'\n")
    return plot.draw(f"rcu-update-{kernel}", script, (640, 400), **where)


def backlog_picture(found, kernel, **where):
    script, waiting, memory = "", [], []
    for at, way in enumerate(WAYS):
        script += plot.block(f"of{at}", found.of["ways"][way]["samples"])
        style = f"with lines lw 2 lc rgb '{plot.COLORS[at]}' title {plot.text(way)}"
        waiting.append(f"$of{at} using 1:2 {style}")
        memory.append(f"$of{at} using 1:($3/1024) {style}")
    script += ("set multiplot layout 1,2\nset xlabel 's, one writer flat out'\nset key left top\n"
               f"set title {plot.text(f'Waiting for a grace period, {kernel}')}\nset ylabel 'objects'\n"
               f"plot {', '.join(waiting)}\n"
               "set title 'Slab memory beyond the start'\nset ylabel 'MiB'\n"
               f"plot {', '.join(memory)}\nunset multiplot\n")
    return plot.draw(f"rcu-backlog-{kernel}", script, (1100, 420), **where)


# The bench


@per_kernel
def measure_kernel(args, kernel, result):
    with tempfile.TemporaryDirectory(prefix="nmiprof-bench.") as folder:
        def once(parts=" ".join(BY_TIME), **how):
            _, shown = guest(kernel, SCRIPT, parts, modules=["rcu_demo"], beside=BESIDE,
                             get=f"{folder}/out", timeout=600, **how)
            return shown

        shown, others = quietly(args, lambda: once(smp=os.cpu_count()))
        counted = once(" ".join(COUNTED), smp=1, icount=True)
        result.commands += [shown, counted]
        result.facts.append(f"{kernel}: {os.cpu_count()} vCPUs, {others}")
        return Found(Path(folder, "out"))


def rows_of_scans(result, protection, where, seen):
    result.row(f"Under {protection}{where}: scans/s of a reader alone, beside a writer flat out; "
               "updates/s of that writer",
               [f"{alone:.0f}, {both:.0f}; {updates:.0f}" for alone, both, updates, _ in seen])
    must = protection == "rcu"
    result.row(f"... ratio, {protection}{where}: median of the pairs (quartiles)",
               [f"{median:.2f} ({low:.2f} to {high:.2f})" for *_, (low, median, high) in seen],
               ">= 0.85" if must else "",
               [median >= 0.85 for *_, (_, median, _) in seen] if must else None)


def measure(args, result):
    found = measure_kernel(args, result)
    for protection in PROTECTIONS:
        rows_of_scans(result, protection, "", [of.scans(protection) for of in found])
    for size in found[0].of["lists"]:
        for protection in found[0].of["lists"][size]:
            rows_of_scans(result, protection, f", {size} persons",
                          [of.scans(protection, size) for of in found])
    for way in WAYS:
        result.row(f"Updates/s of one writer, {way}", [f"{of.updates(way):.0f}" for of in found])
    for way in WAYS[1:]:
        ratios = [of.updates(way) / of.updates(WAYS[0]) for of in found]
        result.row(f"... {way} / synchronize_rcu", [f"{ratio:.0f}" for ratio in ratios], ">= 10",
                   [ratio >= 10 for ratio in ratios])
    costs = [of.update_cost() for of in found]
    for size in costs[0]:
        result.row(f"Instructions of an update among {size} persons", [f"{of[size]}" for of in costs])
    ratios = [of[1_000_000] / of[1000] for of in costs]
    result.row("... a million / a thousand", [f"{ratio:.2f}" for ratio in ratios], "<= 1.2",
               [ratio <= 1.2 for ratio in ratios])
    for op in found[0].sections("cycles", "instructions"):
        result.row(f"Instructions of an empty read section, {op}",
                   [f"{of.instructions(op):.0f}" for of in found])
    more = [of.instructions("rcu_typed") - of.instructions("rcu") for of in found]
    result.row("... typed C++ beyond C", [f"{n:+.0f}" for n in more], "<= +4", [n <= 4 for n in more])
    for experiment, ways in found[0].of["readers"].items():
        for way in ways:
            result.row(f"{READERS[experiment]}, {way}: "
                       + ", ".join(f"{n} reader{'s' * (n != '1')}" for n in ways[way]),
                       [", ".join(f"{rate:.0f}" for rate in of.of["readers"][experiment][way].values())
                        for of in found])
    for way in found[0].of["buffer"]:
        seen = [of.of["buffer"][way] for of in found]
        result.row(f"Profile buffer, {way}: samples lost of those taken; ms of a swap",
                   [f"{of['lost']} of {of['samples']}; {of['swap_mean_ns'] / 1e6:.3f}" for of in seen],
                   "0 lost" if way == "rcu" else "",
                   [of["lost"] == 0 for of in seen] if way == "rcu" else None)
    for experiment, ways in found[0].of["waits"].items():
        for way in ways:
            seen = [of.of["waits"][experiment][way] for of in found]
            result.row(f"Wait, ms: {experiment}, {way}: mean, longest",
                       [", ".join(f"{ns / 1e6:.2f}" for ns in times) for times in seen])
    for kernel, of in zip(args.kernel, found):
        result.pictures += [read_side_picture(of, kernel), grace_period_picture(of, kernel),
                            update_picture(of, kernel, "instructions"), backlog_picture(of, kernel)]
    result.notes.append("Locks keep a scan whole: beside a writer flat out their reader waits for it, "
                        "or it for the reader. One CPU each; pieces of 0.8 s without a writer and with "
                        "one in turns.")
    if any(not of.of.get("read-side") for of in found):
        raise Failure("no figures of the read side")
