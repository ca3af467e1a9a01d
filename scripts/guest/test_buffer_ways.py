# SPDX-License-Identifier: GPL-2.0-only
"""The profile buffer of rcu_demo.ko that is swapped under NMIs: the ledger, bad input."""

import errno
import time

import nmiprof_guest as g
import rcu_demo_guest as demo

WAYS = ("lock", "rcu")
SWAPS = tuple(f"swaps_by_{way}" for way in WAYS)
LOST = ("lost_no_buffer", "lost_lock_held", "lost_raced")


def ledger():
    """{CPU: {term: count}}, each line of one moment."""
    head, *lines = (demo.DEBUGFS / "buffer_ways/ledger").read_text().splitlines()
    terms = head.split()[2:]
    return {int(line.split()[0]): dict(zip(terms, map(int, line.split()[1:]))) for line in lines}


class BufferWays(demo.Experiment):
    name = "buffer_ways"
    needs = ("nmiprof",)
    settings = {"way": "rcu", "nmi_hold_ns": 0}
    roles = {"sampler": (1, 0, 1000), "writer": (1, 3, 1000)}
    ways = {"way": WAYS}
    grows = ("samples", "drained", "allocated", "freed")
    sums = {SWAPS: ("writer", "turns")}
    bad = (
        ("nmi_hold_ns", 100_001, errno.ERANGE, "nmi_hold_ns 100001: must be 0 to 100000"),
        ("nmi_hold_ns", (1 << 64) - 1, errno.ERANGE, "nmi_hold_ns 18446744073709551615: "),
        ("nmi_hold_ns", -1, errno.EINVAL, "nmi_hold_ns: not a number"),
        ("way", "racy", errno.EPERM, "way racy: corrupts memory"),
        ("way", "none", errno.EINVAL, "way: must be racy, lock or rcu"),
    )

    def promises_kept(self):
        super().promises_kept()
        for cpu, row in ledger().items():
            self.assertEqual(row["samples"], row["drained"] + row["live"] + row["no_buffer"]
                             + row["lock_held"] + row["raced"], (cpu, row))
            self.assertEqual(row["unaccounted"], 0, (cpu, row))

    def stop(self):
        super().stop()
        f = self.files
        self.assertEqual(f["live"], 0)
        self.assertEqual(f["samples"], f["drained"] + sum(f[name] for name in LOST))
        self.assertEqual(ledger(), {})

    def test_it_needs_nmiprof_and_keeps_it(self):
        with demo.module("run=0"):
            self.refused(self.files, "run", 1, errno.ENODEV, "run: load nmiprof.ko first")
            with g.module("nmiprof"):
                self.files["run"] = 1
                self.assertNotEqual(g.run("rmmod", "nmiprof", check=False).returncode, 0)
                self.grow(*self.grows)
                self.stop()
            self.refused(self.files, "run", 1, errno.ENODEV, "run: load nmiprof.ko first")

    def test_by_rcu_nothing_is_lost(self):
        with self.running():
            self.files["samplers"] = 2
            self.flat_out()
            self.grow("swaps_by_rcu", by=20)
            self.grow("samples", by=2000)
            self.stop()
            self.assertEqual([self.files[name] for name in LOST], [0, 0, 0])

    def test_by_the_lock_samples_are_lost_and_counted(self):
        with self.running():
            self.files["way"] = "lock"
            self.files["samplers"] = 2
            self.files["writers"] = 2
            self.flat_out()
            self.grow("lost_lock_held", by=3)
            self.promises_kept()
            self.stop()
            self.assertEqual(self.files["lost_no_buffer"] + self.files["lost_raced"], 0)

    def test_the_ledger_adds_up_at_any_moment(self):
        with self.running():
            self.files["samplers"] = 2
            self.flat_out()
            for hold_ns in (0, 20_000, 100_000):
                self.files["nmi_hold_ns"] = hold_ns
                for _ in self.all_ways():
                    self.grow("samples", by=200)
                    for _ in range(5):
                        self.promises_kept()
            self.stop()

    def test_each_cpu_has_a_line(self):
        with self.running():
            demo.wait_for(lambda: all(row["samples"] > 10 for row in ledger().values()))
            self.assertEqual(list(ledger()), list(range(g.NR_CPUS)))

    def test_changing_the_way_loses_nothing(self):
        with self.running():
            self.files["writers"] = 0       # none holds the lock
            self.flat_out()
            until = time.monotonic() + 3
            while time.monotonic() < until:
                for _ in self.all_ways():
                    time.sleep(0.01)
            self.grow("samples", by=100)
            self.promises_kept()
            self.assertEqual([self.files[name] for name in LOST], [0, 0, 0])
            self.stop()

    def test_while_nmiprof_profiles_too(self):
        with self.running():
            self.assertEqual(g.write("rate_hz", 1000), 0)
            self.assertEqual(g.write("enable", 1), 0)
            self.flat_out()
            for _ in self.all_ways():
                self.grow("samples", by=500)
                self.promises_kept()
            self.assertEqual(g.write("enable", 0), 0)
            self.stop()
            self.assertEqual(g.imbalances(g.ledger()), [])

    def test_swaps_are_timed(self):
        with self.running():
            self.flat_out("writer")
            self.no_data("swap_mean_ns_of_lock")
            for way in self.all_ways():
                self.grow(f"swaps_by_{way['way']}", by=5)
                mean = self.files[f"swap_mean_ns_of_{way['way']}"]
                self.assertGreaterEqual(self.files[f"swap_longest_ns_of_{way['way']}"], mean)
            self.no_data("swap_mean_ns_of_racy")
            self.stop()
            lines = (demo.DEBUGFS / "buffer_ways/swaps").read_text().splitlines()[1:]
            for way in WAYS:
                self.assertEqual(sum(int(line.split()[2]) for line in lines
                                     if line.startswith(f"{way} ")), self.files[f"swaps_by_{way}"])
