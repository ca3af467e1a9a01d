# SPDX-License-Identifier: GPL-2.0-only
"""Tracepoints nmiprof:*, seen by perf, trace-cmd and bpftrace."""

import json
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from nmiprof_guest import DEBUGFS, SYSFS, load, loaded, online, run, unload, wait_for, write
from test_perf import IRQS_OFF, IRQS_ON, LOAD_CPU, Perf

TRACING = Path("/sys/kernel/tracing")
TOOL = "/nmiprof/scripts/nmiprof"


def handlers():
    return (DEBUGFS / "handlers").read_text()


class Trace(Perf):
    def sampling(self):
        self.assertEqual(write("enable", 1), 0)
        self.addCleanup(write, "enable", 0)

    def record_trace(self, event, *arguments, command=("sleep", "2")):
        return self.perf("record", "-o", self.data, "-c", "1", "-a", "-e", event, *arguments, "--",
                         *command)

    def script(self, *arguments):
        return self.perf("script", "-i", self.data, *arguments)


class Samples(Trace):
    def setUp(self):
        super().setUp()
        load("nmiprof_load", "percent=50", "section_us=1000", f"cpus={LOAD_CPU}")
        self.addCleanup(unload, "nmiprof_load")

    def test_perf_sees_the_interrupted_stack(self):
        self.sampling()
        self.record_trace("nmiprof:nmi_sample", "-g", "--filter", "irqs_off==1")
        text = self.script("-F", "trace,ip,sym")
        blocks = [block for block in text.split("\n\n") if "irqs_off=" in block]
        self.assertGreater(len(blocks), 100)
        self.assertTrue(all("irqs_off=1" in block for block in blocks))
        inside = [block for block in blocks if f" {IRQS_OFF}\n" in block]
        self.assertGreater(len(inside), 50)
        for block in inside:
            names = re.findall(r"^\s+[0-9a-f]+ (\S+)", block, re.M)
            self.assertIn("kthread", names[1:3])

    def test_fields(self):
        self.sampling()
        self.record_trace("nmiprof:nmi_sample")
        seen = re.findall(r"\[0*(\d+)\].*irqs_off=(\d) user=(\d) idle=(\d) sender=(\d+)",
                          self.script("-F", "cpu,event,trace"))
        self.assertGreater(len(seen), 300)
        # A CPU sends to itself only when no other one comes in time, as on a busy host.
        self.assertGreater(sum(cpu != sender for cpu, *_, sender in seen), 0.5 * len(seen))
        for _, irqs_off, user, _, _ in seen:
            self.assertFalse(irqs_off == "1" and user == "1")
        self.assertEqual({idle for *_, idle, _ in seen}, {"0", "1"})

    def test_nothing_is_there_while_it_is_off(self):
        self.sampling()
        self.assertNotIn(" trace ", handlers())
        enable = TRACING / "events/nmiprof/nmi_sample/enable"
        enable.write_text("1")
        self.assertIn(" trace ", handlers())
        enable.write_text("0")
        self.assertTrue(wait_for(lambda: " trace " not in handlers()))

    def test_trace_cmd_shows_the_interrupted_stack(self):
        self.sampling()
        run("trace-cmd", "record", "-q", "-o", self.data, "-e", "nmiprof:nmi_sample", "-f",
            "irqs_off==1", "-T", "sleep", "2")
        text = run("trace-cmd", "report", "-i", self.data)
        stacks = re.findall(r"kernel_stack:\s+<stack.*?\n((?:=> .*\n?)+)", text)
        inside = [stack for stack in stacks if IRQS_OFF in stack.splitlines()[0]]
        self.assertGreater(len(inside), 20, text[:3000])
        for stack in inside:
            self.assertIn("kthread", stack)
            self.assertNotIn("nmiprof_nmi", stack)

    def test_bpftrace_shows_the_interrupted_stack(self):
        self.sampling()
        text = run("bpftrace", "-e", "tracepoint:nmiprof:nmi_sample /args->irqs_off == 1/ "
                   "{ @[kstack] = count(); } interval:s:3 { exit(); }")
        counts = {stack: int(n) for stack, n in re.findall(r"@\[\n(.*?)\n\]: (\d+)", text, re.S)}
        inside = {stack: n for stack, n in counts.items() if IRQS_OFF in stack.splitlines()[0]}
        self.assertGreater(sum(inside.values()), 50, text[:3000])
        for stack in inside:
            self.assertIn("kthread", stack)

    def test_unload_while_ftrace_has_it_on(self):
        for _ in range(3):
            load_again = loaded("nmiprof")
            self.assertTrue(load_again)
            (TRACING / "events/nmiprof/enable").write_text("1")
            self.assertEqual(write("enable", 1), 0)
            unload("nmiprof_load")
            unload()
            self.assertFalse(loaded())
            load()
            load("nmiprof_load", "percent=50", "section_us=1000", f"cpus={LOAD_CPU}")

    def test_tool(self):
        """flamegraph and irqsoff on what the real perf recorded."""
        self.record("-a", "-g", "-F", "499", "--intr-regs=flags", seconds=3)
        out = json.loads(run(TOOL, "irqsoff", "-i", self.data, "--json"))
        names = {one["name"]: one for one in out["functions"]}
        self.assertGreater(names[IRQS_OFF]["samples"], 50)
        self.assertNotIn(IRQS_ON, names)
        self.assertIn("kthread", names[IRQS_OFF]["chains"][0]["frames"][-2:])
        svg = f"{self.scratch.name}/out.svg"
        run(TOOL, "flamegraph", "-i", self.data, "-o", svg)
        frames = {g.get("data-name") for g in ElementTree.parse(svg).iter()}
        self.assertLessEqual({IRQS_OFF, IRQS_ON, "kthread"}, frames)
        self.sampling()
        self.record_trace("nmiprof:nmi_sample", "-g")
        out = json.loads(run(TOOL, "irqsoff", "-i", self.data, "--json"))
        self.assertGreater({one["name"]: one for one in out["functions"]}[IRQS_OFF]["samples"], 50)


class Others(Trace):
    def test_handlers(self):
        self.record_trace("nmiprof:handler_*", command=("sh", "-c", f"echo 1 >{SYSFS}/enable; "
                                                        f"echo 0 >{SYSFS}/enable"))
        text = self.script("-F", "event,trace")
        self.assertRegex(text, r"handler_registered: +number=\d+ name=profile")
        self.assertRegex(text, r"handler_unregistered: +number=\d+ name=profile")

    def test_buffers(self):
        self.sampling()
        self.record_trace("nmiprof:buffer_swapped", command=("cat", f"{DEBUGFS}/drain"))
        found = re.search(r"old_bytes=(\d+) new_bytes=(\d+) grace_period_ns=(\d+)",
                          self.script("-F", "event,trace"))
        self.assertEqual(found[1], found[2])
        self.assertGreater(int(found[1]), 0)
        self.assertGreater(int(found[3]), 0)

    def test_all_of_them_through_hotplug(self):
        self.sampling()
        session = self.child("perf", "record", "-o", self.data, "-a", "-e", "nmiprof:*", "--", "sleep",
                             "3", stderr=subprocess.DEVNULL)
        online(1, False)
        online(1, True)
        self.assertEqual(session.wait(), 0)


if __name__ == "__main__":
    unittest.main()
