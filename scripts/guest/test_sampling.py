# SPDX-License-Identifier: GPL-2.0-only
"""Samples: where they are, that each is counted once, that none is lost unnamed."""

import json
import re
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import nmiprof_guest as g

TOOL = g.HERE / "scripts/nmiprof"
LOAD = "/sys/module/nmiprof_load/parameters"


def record(*arguments):
    """Run the tool's record, give its report as JSON."""
    with tempfile.TemporaryDirectory() as d:
        data = f"{d}/data"
        g.run(TOOL, "record", "-o", data, *arguments)
        return json.loads(g.run(TOOL, "report", "-i", data, "--json"))


def function(report, name):
    found = [f for f in report["functions"] if f["name"] == name]
    return found[0] if found else {"samples": 0, "irqs_off": 0, "module": None}


class Ledger(unittest.TestCase):
    def test_adds_up_at_every_look(self):
        with g.module("nmiprof", "enable=1", "rate_hz=5000"), g.busy():
            for _ in range(40):
                self.assertEqual(g.imbalances(g.ledger()), [])
                time.sleep(0.02)
            g.write("enable", 0)
            end = g.ledger()
            self.assertEqual(g.imbalances(end), [])
            self.assertEqual(end["total"]["outstanding"], 0)
            self.assertEqual(end["total"]["handled"], end["total"]["samples"])
            time.sleep(0.2)
            self.assertEqual(g.ledger(), end, "something moved after the stop")

    def test_sysfs_gives_the_same_terms(self):
        with g.module("nmiprof", "enable=1"):
            time.sleep(0.3)
            g.write("enable", 0)
            for cpu, row in g.ledger().items():
                for term, value in row.items():
                    where = f"stats/{term}" if cpu == "total" else f"stats/cpu{cpu}/{term}"
                    self.assertEqual(int(g.read(where)), value, where)

    def test_due_goes_by_the_clock(self):
        with g.module("nmiprof", "rate_hz=1000"):
            start = time.monotonic()
            g.write("enable", 1)
            time.sleep(2)
            g.write("enable", 0)
            seconds = time.monotonic() - start
            for cpu in range(g.NR_CPUS):
                due = g.ledger()[cpu]["due"]
                self.assertLessEqual(due, 1000 * seconds)
                self.assertGreaterEqual(due, 1000 * 2 * 0.97)


class Drain(unittest.TestCase):
    def test_each_sample_is_handed_out_once(self):
        """Live swaps of size, granularity and layout under NMI fire."""
        got = {"binned": 0, "user": 0, "idle": 0, "out_of_range": 0}

        def drain():
            d = g.Dump("drain")
            self.assertEqual(d["samples"], d.binned + d["user"] + d["idle"] + d["out_of_range"])
            got["binned"] += d.binned
            for key in ("user", "idle", "out_of_range"):
                got[key] += d[key]

        shapes = [("granularity", "4096"), ("layout", "shared"), ("granularity", "256"),
                  ("layout", "percpu"), ("granularity", "65536"), ("granularity", "0")]
        with g.module("nmiprof", "enable=1", "rate_hz=5000"), g.busy():
            for i in range(40):
                drain()
                if i % 4 == 3:
                    self.assertEqual(g.write(*shapes[i // 4 % len(shapes)]), 0)
                time.sleep(0.01)
            g.write("enable", 0)
            drain()
            row = g.ledger()["total"]
            self.assertEqual(g.imbalances(g.ledger()), [])
            discarded = int(g.read("stats/discarded"))
            self.assertEqual(got["binned"] + discarded, row["binned"])
            self.assertGreater(got["binned"], 1000)
            if not discarded:  # a change of shape gives up user and idle counts too
                self.assertEqual(got["user"], row["user"])
                self.assertEqual(got["idle"], row["idle"])
            self.assertEqual(g.Dump("drain")["samples"], 0)

    def test_drains_at_the_same_time_are_disjoint(self):
        sums, lock = [], threading.Lock()

        def drainer():
            for _ in range(10):
                d = g.Dump("drain")
                with lock:
                    sums.append(d["samples"])

        with g.module("nmiprof", "enable=1", "rate_hz=5000", "granularity=4096"), g.busy():
            threads = [threading.Thread(target=drainer) for _ in range(3)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            g.write("enable", 0)
            sums.append(g.Dump("drain")["samples"])
            row = g.ledger()["total"]
            self.assertEqual(sum(sums), row["samples"] - row["no_buffer"])

    def test_a_look_changes_nothing(self):
        with g.module("nmiprof", "enable=1"), g.busy():
            time.sleep(0.5)
            g.write("enable", 0)
            first = g.Dump("samples")
            self.assertEqual(g.Dump("samples").rows, first.rows)
            self.assertEqual(g.Dump("drain").rows, first.rows)
            self.assertEqual(g.Dump("samples").rows, [])

    def test_readprofile_reads_the_dump(self):
        with g.module("nmiprof", "enable=1", "rate_hz=5000"), g.busy():
            time.sleep(1)
            g.write("enable", 0)
            text = g.run("readprofile", "-p", g.DEBUGFS / "profile", "-m", "/proc/kallsyms")
            counts = {}
            for line in text.splitlines():
                count, name = line.split()[:2]
                counts[name] = int(count)
            inside = Dump_inside(g.Dump("samples"))
            self.assertEqual(counts.pop("total"), inside)
            self.assertGreater(len(counts), 5)
            words = (g.DEBUGFS / "profile").read_bytes()
            self.assertEqual(struct.unpack_from("I", words)[0],
                             int(g.read("stats/buffer_granularity")))


def Dump_inside(dump):
    """Samples in the bins of the kernel image."""
    start, end = (int(a, 16) for a in dump.head["text"])
    return sum(total for address, total, _ in dump.rows if start <= address < end)


class InterruptsOff(unittest.TestCase):
    """The point of it all: a function that runs with interrupts off is seen there."""

    def test_where_cpu_clock_is_blind(self):
        with g.module(), g.module("nmiprof_load", "cpus=2", "percent=50", "section_us=20000"):
            perf = subprocess.Popen(["perf", "record", "-q", "-B", "-e", "cpu-clock", "-F", "499", "-C", "2",
                                     "-o", "/tmp/perf.data", "sleep", "3"],
                                    stderr=subprocess.DEVNULL)
            report = record("-F", "997", "-d", "3")
            perf.wait()
            samples = g.run("perf", "script", "-i", "/tmp/perf.data", "-F", "ip,sym")
            truth = [int(Path(LOAD, n).read_text()) for n in ("turns_off", "turns_on")]
        off = function(report, "nmiprof_load_irqs_off")
        on = function(report, "nmiprof_load_irqs_on")
        self.assertEqual(off["module"], "nmiprof_load")
        self.assertGreater(off["samples"], 300)
        self.assertGreater(off["irqs_off"], 0.99 * off["samples"])
        self.assertLess(on["irqs_off"], 0.05 * on["samples"])
        share = off["samples"] / (off["samples"] + on["samples"])
        true_share = truth[0] / sum(truth)
        self.assertAlmostEqual(share, true_share, delta=0.08)
        blind = len(re.findall(r"nmiprof_load_irqs_off", samples))
        self.assertLess(blind, 0.02 * off["samples"])
        self.assertGreater(len(samples.splitlines()), 300)

    def test_all_other_cpus_blocked(self):
        """CPU 0 must then serve all, itself too."""
        others = f"1-{g.NR_CPUS - 1}"
        with g.module(), g.module("nmiprof_load", f"cpus={others}", "percent=90",
                                  "section_us=100000"):
            g.write("enable", 1)
            time.sleep(4)
            g.write("enable", 0)
            table = g.ledger()
            self.assertEqual(g.imbalances(table), [])
            for cpu in range(g.NR_CPUS):
                row = table[cpu]
                self.assertGreater(row["handled"], 0.2 * row["due"], row)
                self.assertEqual(row["lost_timeout"], 0)

    def test_blocked_with_the_backup_outside_the_ring(self):
        with g.module("nmiprof", "cpus=2"), \
                g.module("nmiprof_load", "cpus=2", "percent=80", "section_us=50000"):
            g.write("enable", 1)
            time.sleep(2)
            g.write("enable", 0)
            table = g.ledger()
            self.assertEqual(g.imbalances(table), [])
            self.assertEqual(table[1]["due"], 0)
            self.assertGreater(table[2]["handled"], 0.5 * table[2]["due"])
            dump = g.Dump("samples")
            off = sum(r[2] for r in dump.rows)
            self.assertGreater(off, 0.5 * dump.binned)


class Handlers(unittest.TestCase):
    PARAMETERS = "/sys/module/nmiprof_torture/parameters"

    def count(self, name):
        return int(Path(self.PARAMETERS, name).read_text())

    def test_register_replace_unregister_under_fire(self):
        with g.module("nmiprof", "enable=1", "rate_hz=2000"):
            with g.module("nmiprof_torture", "senders=0", "targets=1-3", "stutter=0"):
                self.assertTrue(g.wait_for(lambda: self.count("updates") >= 100, 30))
                self.assertEqual(self.count("failures"), 0)
                self.assertGreater(self.count("looks"), 100)
            self.assertEqual(g.imbalances(g.ledger()), [])

    def test_slow_handlers_that_claim_everything(self):
        with g.module("nmiprof", "enable=1", "rate_hz=500"):
            with g.module("nmiprof_torture", "slow_us=1000", "slow_every=1", "greedy=1",
                          "stutter=0"):
                self.assertTrue(g.wait_for(lambda: self.count("looks") > 20, 10))
            before = g.ledger()
            lines = (g.DEBUGFS / "handlers").read_text().splitlines()[1:]
            after = g.ledger()
            self.assertEqual(g.imbalances(after), [])
            for line in lines:
                number, name, cpu, invocations, claims, longest = line.split()
                if name == "profile":
                    self.assertLessEqual(before[int(cpu)]["samples"], int(claims))
                    self.assertLessEqual(int(claims), after[int(cpu)]["samples"])
                    self.assertGreaterEqual(int(invocations), int(claims))
                    self.assertGreater(int(longest), 0)


class Tool(unittest.TestCase):
    def test_record_of_a_command_and_its_exit_status(self):
        with g.module(), tempfile.TemporaryDirectory() as d:
            done = g.run(TOOL, "record", "-o", f"{d}/a", "--", "sh", "-c", "exit 7", check=False)
            self.assertEqual(done.returncode, 7)
            self.assertIn("FUNCTION", g.run(TOOL, "report", "-i", f"{d}/a"))

    def test_interrupt_leaves_a_valid_result(self):
        with g.module("nmiprof", "rate_hz=499"), tempfile.TemporaryDirectory() as d:
            p = subprocess.Popen([TOOL, "record", "-o", f"{d}/a", "-d", "60"],
                                 stderr=subprocess.DEVNULL)
            self.assertTrue(g.wait_for(lambda: g.read("enable") == "1"))
            time.sleep(0.5)
            p.send_signal(signal.SIGINT)
            self.assertEqual(p.wait(20), 0)
            report = json.loads(g.run(TOOL, "report", "-i", f"{d}/a", "--json"))
            self.assertGreater(report["samples"], 100)
            self.assertEqual(g.read("enable"), "0")
            self.assertEqual(g.read("rate_hz"), "499")

    def test_report_of_an_unloaded_module_has_its_names(self):
        with g.module(), g.module("nmiprof_load", "cpus=1", "percent=50", "section_us=1000"), \
                tempfile.TemporaryDirectory() as d:
            g.run(TOOL, "record", "-o", f"{d}/a", "-d", "1")
            g.unload("nmiprof_load")
            try:
                text = g.run(TOOL, "report", "-i", f"{d}/a")
                self.assertIn("nmiprof_load_irqs_off", text)
                folded = g.run(TOOL, "report", "-i", f"{d}/a", "--folded")
                self.assertRegex(folded, r"nmiprof_load;nmiprof_load_irqs_off.*irqs off.* \d+")
            finally:
                g.load("nmiprof_load")

    def test_status_and_top(self):
        with g.module("nmiprof", "enable=1"):
            time.sleep(0.5)
            status = json.loads(g.run(TOOL, "status", "--json"))
            self.assertTrue(status["ok"], status)
            g.write("enable", 0)
            self.assertIn("FUNCTION", g.run(TOOL, "top", "-d", "1", "-n", "2"))

    def test_module_missing(self):
        done = g.run(TOOL, "status", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("insmod", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
