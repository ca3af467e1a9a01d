# SPDX-License-Identifier: GPL-2.0-only
"""What one part of the bench found, as a table in Markdown."""

import tempfile
from pathlib import Path

from .running import build, guest, quietly

class Part:
    """What one part of the bench found: a table, notes, the commands."""

    def __init__(self, name):
        self.name = name
        self.rows = []          # measure, [values], target, [met by each] or None
        self.columns = []
        self.notes = []
        self.commands = []
        self.facts = []
        self.pictures = []      # Markdown

    def row(self, measure, values, target="", met=None):
        self.rows.append((measure, values, target, met))

    @property
    def missed(self):
        return [row[0] for row in self.rows if row[3] is not None and not all(row[3])]

    def result(self, met):
        if met is None:
            return ""
        if all(met):
            return "met"
        where = [column for column, good in zip(self.columns, met) if not good]
        return f"**MISSED** ({', '.join(where)})"

    def markdown(self):
        lines = [f"| Measure | {' | '.join(self.columns)} | Target | Result |",
                 "|---|" + "---:|" * len(self.columns) + "---|---|"]
        lines += [f"| {measure} | {' | '.join(values)} | {target} | {self.result(met)} |"
                  for measure, values, target, met in self.rows]
        for picture in self.pictures:
            lines += ["", picture]
        lines += [""] + [f"- {note}" for note in self.notes]
        lines += ["", "Made by `scripts/bench " + self.name + "`, which ran:", "", "```"]
        lines += list(dict.fromkeys(self.commands)) + ["```", "", "; ".join(self.facts) + "."]
        return "\n".join(lines)


def per_kernel(measure):
    """Makes a part out of a function that measures one kernel: {row key: ...}."""
    def part(args, result):
        result.columns = list(args.kernel)
        found = []
        for kernel in args.kernel:
            build(kernel)
            found.append(measure(args, kernel, result))
        return found
    return part


def quietly_in_guest(args, kernel, result, read, script, arguments, smp, **how):
    """Run a script of a guest's that leaves files in out/, while the machine is quiet:
    read(that folder), which has a `release`."""
    def once():
        with tempfile.TemporaryDirectory(prefix="nmiprof-bench.") as folder:
            _, shown = guest(kernel, script, arguments, smp=smp, get=f"{folder}/out", **how)
            return read(Path(folder, "out")), shown

    (found, shown), others = quietly(args, once)
    result.commands.append(shown)
    result.facts.append(f"{kernel} is {found.release}, {smp} vCPUs, {others}")
    return found


def share(value):
    return f"{value:.4f}"


def spaced(number):
    return f"{number:,}".replace(",", " ")


def exactness(ledger):
    broken = [f"{check['cpu']}: {check['numbers']}" for check in ledger.checks()
              if not check["holds"]]
    return "; ".join(broken) or "exact"
