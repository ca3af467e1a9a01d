# SPDX-License-Identifier: GPL-2.0-only
"""flamegraph and irqsoff, from folded text and from what perf prints (a stand-in here; the
real one in scripts/guest/test_perf.py)."""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from nmiprof_lib import cli, stacks  # noqa: E402

FOLDED = """\
sh;main;do_syscall_64;vfs_read 40
sh;main;do_syscall_64;vfs_write 20

load;work;irqs_off_fn;[irqs off] 30
load;work;irqs_on_fn 25
load;work;unlock;[irqs off] 5
load;work;unlock 3
a <b>&"c";d 77
"""
EVLIST = """\
cpu-clock: type: 1, size: 128, sample_type: IP|TID|TIME|CALLCHAIN|PERIOD
nmi_timer//: type: 11, size: 128, sample_type: IP|TID|TIME|CALLCHAIN|CPU|PERIOD|REGS_INTR, sample_regs_intr: 0x200
dummy:HG: type: 1, size: 128, config: 0x9
# Tip: use 'perf evlist --trace-fields' to show fields for tracepoint events
"""
SCRIPT = """\
perf 2  199/199   25.435207:    2000000 nmi_timer//: 
\tffffffffbbfd7f30 smp_call ([kernel.kallsyms])
\t          147bc2 [unknown] (/usr/bin/perf)
 ABI:2 FLAGS:0x206 
nmiprof_load/1   195/195    25.445903:    2000000 nmi_timer//: 
\tffffffffc04b9032 irqs_off_fn ([nmiprof_load])
\tffffffffc04b91d2 operator new(unsigned long; int) ([nmiprof_load])
 ABI:2 FLAGS:0x6 
swapper     0/0       25.449656:    250000 cpu-clock: 
\tffffffffbcae5fff halt ([kernel.kallsyms])

         swapper     0/0     59.007553:    1000000 nmi_timer//:  ffffffffbcae5fff halt ([kernel.kallsyms]) ABI:1 FLAGS:0x216 
"""
TRACED = """\
swapper     0/0     81.225773:          1  nmiprof:nmi_sample: ip=halt+0xf irqs_off=0 user=0 idle=1 sender=0
\tffffffffbcae5fff halt ([kernel.kallsyms])

load     7/7     81.226825:          1  nmiprof:nmi_sample: ip=f+0xf irqs_off=1 user=0 idle=0 sender=1
\tffffffffbcae5fff f ([kernel.kallsyms])
\tffffffffbcae7cc9 g ([kernel.kallsyms])

"""


class Case(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)

    def file(self, name, text):
        path = self.dir / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def perf(self, evlist, script, status=0):
        """A perf.data, and a perf that says so of it."""
        (self.dir / "evlist").write_text(evlist)
        (self.dir / "script").write_text(script)
        fake = self.dir / "perf"
        fake.write_text(f'#!/bin/sh\necho "$@" >>{self.dir}/args\ncat {self.dir}/$1\n'
                        f'echo "no such thing" >&2\nexit {status}\n')
        fake.chmod(0o755)
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = f"{self.dir}:{path}"
        return self.file("perf.data", b"PERFILE2rest")

    def tool(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(argv))
        return code, out.getvalue(), err.getvalue()


class Folded(Case):
    def test_read(self):
        read = stacks.load(self.file("f", FOLDED))
        self.assertEqual(read.samples[stacks.Stack(("load", "work", "unlock"), True)], 5)
        self.assertEqual(read.samples[stacks.Stack(("load", "work", "unlock"), False)], 3)
        self.assertEqual(sum(read.samples.values()), 200)
        self.assertTrue(read.knows_irqs)

    def test_what_report_writes_can_be_read(self):
        read = stacks.load(self.file("f", "kernel;x 2\nkernel;x;[irqs off] 1\n[user] 4\n"))
        self.assertEqual(sum(read.samples.values()), 7)

    def test_bad_lines_are_named(self):
        for text in ("no count\n", "a;b 1\nx\n", "\x00\x01\n", "a -1\n"):
            code, _, err = self.tool("flamegraph", "-i", self.file("f", text), "-o", str(self.dir / "o"))
            self.assertEqual(code, 1)
            self.assertRegex(err, r"^nmiprof: .*f:\d+: not perf's data, and no folded stack")
            self.assertFalse((self.dir / "o").exists())

    def test_missing_and_empty(self):
        self.assertEqual(self.tool("flamegraph", "-i", str(self.dir / "none"))[0], 1)
        code, _, err = self.tool("flamegraph", "-i", self.file("f", ""), "-o", str(self.dir / "o"))
        self.assertEqual((code, "no samples" in err), (1, True))

    def test_no_event_to_choose(self):
        code, _, err = self.tool("irqsoff", "-i", self.file("f", FOLDED), "-e", "x")
        self.assertEqual((code, "has no events" in err), (1, True))


class Perf(Case):
    def test_flags_tell_interrupts_off(self):
        read = stacks.load(self.perf(EVLIST, SCRIPT))
        self.assertEqual(read.event, "nmi_timer//")
        off = {stack.frames for stack in read.samples if stack.irqs_off}
        self.assertEqual(off, {("nmiprof_load/1", "operator new(unsigned long: int)", "irqs_off_fn")})
        on = {stack.frames for stack in read.samples if not stack.irqs_off}
        self.assertEqual(on, {("perf 2", "[perf]", "smp_call"), ("swapper", "halt")})
        self.assertEqual(sum(read.time_ns.values()), 5_000_000)
        self.assertIn("iregs", (self.dir / "args").read_text())

    def test_another_event(self):
        read = stacks.load(self.perf(EVLIST, SCRIPT), "cpu-clock")
        self.assertEqual({stack.frames for stack in read.samples}, {("swapper", "halt")})
        self.assertFalse(read.knows_irqs)
        self.assertNotIn("iregs", (self.dir / "args").read_text().splitlines()[-1])
        code, _, err = self.tool("irqsoff", "-i", str(self.dir / "perf.data"), "-e", "cpu-clock")
        self.assertEqual((code, "--intr-regs=flags" in err), (1, True))
        code, _, err = self.tool("irqsoff", "-i", str(self.dir / "perf.data"), "-e", "cycles")
        self.assertEqual((code, "no event cycles, but cpu-clock, nmi_timer//" in err), (1, True))

    def test_tracepoint(self):
        read = stacks.load(self.perf("nmiprof:nmi_sample: type: 2\n", TRACED))
        self.assertEqual(dict(read.samples), {
            stacks.Stack(("swapper", "halt"), False): 1, stacks.Stack(("load", "g", "f"), True): 1})
        self.assertFalse(read.time_ns)

    def test_event_that_has_interrupts_off_only(self):
        read = stacks.load(self.perf("nmi_timer/irqs-off/: type: 11\n",
                                     SCRIPT.replace("nmi_timer//", "nmi_timer/irqs-off/")))
        self.assertTrue(all(stack.irqs_off or "FLAGS" for stack in read.samples))
        self.assertTrue(read.knows_irqs)

    def test_perf_fails(self):
        code, _, err = self.tool("irqsoff", "-i", self.perf(EVLIST, SCRIPT, status=3))
        self.assertEqual((code, err), (1, "nmiprof: perf evlist: no such thing\n"))

    def test_no_perf(self):
        data = self.perf(EVLIST, SCRIPT)
        os.environ["PATH"] = "/nowhere"
        code, _, err = self.tool("irqsoff", "-i", data)
        self.assertEqual((code, "linux-perf" in err), (1, True))


class Irqsoff(Case):
    def test_table(self):
        code, out, _ = self.tool("irqsoff", "-i", self.perf(EVLIST, SCRIPT))
        self.assertEqual(code, 0)
        self.assertRegex(out, r"(?m)^ +1 +2\.0 +100\.00  irqs_off_fn$")
        self.assertIn("1x operator new(unsigned long: int) < nmiprof_load/1", out)
        self.assertIn("1 of 3 samples (33.3 %) had interrupts off, 2.0 ms of CPU time", out)

    def test_order_and_limit(self):
        _, out, _ = self.tool("irqsoff", "-i", self.file("f", FOLDED), "-n", "1")
        self.assertIn("irqs_off_fn", out)
        self.assertNotIn("unlock", out)
        self.assertIn("35 of 200 samples (17.5 %)", out)

    def test_json(self):
        _, out, _ = self.tool("irqsoff", "-i", self.file("f", FOLDED), "--json")
        document = json.loads(out)
        self.assertEqual((document["samples"], document["irqs_off"]), (200, 35))
        self.assertEqual([one["name"] for one in document["functions"]], ["irqs_off_fn", "unlock"])
        self.assertEqual(document["functions"][0]["chains"],
                         [{"samples": 30, "frames": ["load", "work"]}])


class Flamegraph(Case):
    def draw(self, text, *options):
        output = self.dir / "out.svg"
        code, _, err = self.tool("flamegraph", "-i", self.file("f", text), "-o", str(output), *options)
        self.assertEqual(code, 0, err)
        return ElementTree.parse(output).getroot()

    @staticmethod
    def frames(svg):
        return [g for g in svg.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "frame"]

    def test_widths_are_shares(self):
        svg = self.draw(FOLDED)
        width = {g.get("data-name"): float(g.get("data-w")) for g in self.frames(svg)}
        self.assertAlmostEqual(width["all"], 1180, places=2)
        self.assertAlmostEqual(width["vfs_read"], 1180 * 40 / 200, places=2)
        self.assertAlmostEqual(width["irqs_off_fn"], 1180 * 30 / 200, places=2)

    def test_children_lie_on_their_callers(self):
        svg = self.draw(FOLDED)
        by_row = {}
        for g in self.frames(svg):
            y = float(g[1].get("y"))
            by_row.setdefault(y, []).append((float(g.get("data-x")), float(g.get("data-w"))))
        rows = [by_row[y] for y in sorted(by_row, reverse=True)]
        for below, above in zip(rows, rows[1:]):
            for x, w in above:
                self.assertTrue(any(x >= a - 0.02 and x + w <= a + b + 0.02 for a, b in below))
            for (x, w), (following, _) in zip(sorted(above), sorted(above)[1:]):
                self.assertLessEqual(x + w, following + 0.02)

    def test_interrupts_off_has_its_colour(self):
        svg = self.draw(FOLDED)
        blue = {}
        for g in self.frames(svg):
            red, _, most = map(int, re.findall(r"\d+", g[1].get("fill")))
            blue.setdefault(g.get("data-name"), set()).add(most > red)
        self.assertEqual(blue["irqs_off_fn"], {True})
        self.assertEqual(blue["unlock"], {True, False})
        self.assertEqual(blue["vfs_read"], {False})
        self.assertEqual(blue["work"], {False})

    def test_names_are_text(self):
        svg = self.draw(FOLDED, "--title", "<script>alert(1)</script>")
        self.assertIn('a <b>&"c"', {g.get("data-name") for g in self.frames(svg)})
        self.assertEqual(sum(1 for _ in svg.iter("{http://www.w3.org/2000/svg}script")), 1)

    def test_deep_and_wide(self):
        deep = ";".join(f"f{n}" for n in range(3000))
        svg = self.draw(f"{deep} 10\n" + "".join(f"g{n} 1\n" for n in range(20000)))
        self.assertLess(len(self.frames(svg)), 6000)

    def test_it_needs_nothing_else(self):
        self.draw(FOLDED)
        text = (self.dir / "out.svg").read_text()
        self.assertEqual(re.findall(r'https?://[^"\s]+', text), ["http://www.w3.org/2000/svg"])

    def test_standard_output(self):
        code, out, _ = self.tool("flamegraph", "-i", self.file("f", FOLDED), "-o", "-")
        self.assertEqual(code, 0)
        ElementTree.fromstring(out)

    def test_output_that_cannot_be_written(self):
        code, _, err = self.tool("flamegraph", "-i", self.file("f", FOLDED), "-o", "/nowhere/x")
        self.assertEqual((code, "cannot write /nowhere/x" in err), (1, True))


if __name__ == "__main__":
    unittest.main()
