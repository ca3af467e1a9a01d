# SPDX-License-Identifier: GPL-2.0-only
"""The toy RCU of rcu_demo.ko beside the kernel's: CPUs visited, readers, bad input."""

import errno
import unittest

import nmiprof_guest as g
import rcu_demo_guest as demo

WAYS = ("toy", "synchronize_rcu", "synchronize_rcu_expedited")
UPDATES = tuple(f"updates_by_{way}" for way in WAYS)
LAST = g.NR_CPUS - 1


class ToyRcu(demo.Experiment):
    name = "toy_rcu"
    settings = {"way": "toy", "section_us": 10, "cpus": 0}
    roles = {"reader": (3, 0, 100), "writer": (1, 3, 10_000)}
    ways = {"way": WAYS}
    grows = ("reads", "allocated", "freed")
    sums = {"reads": ("reader", "turns"), UPDATES: ("writer", "turns")}
    bad = (
        ("section_us", 10_001, errno.ERANGE, "section_us 10001: must be 0 to 10000"),
        ("section_us", (1 << 64) - 1, errno.ERANGE, "section_us 18446744073709551615: must be"),
        ("section_us", -1, errno.EINVAL, "section_us: not a number"),
        ("section_us", "ten", errno.EINVAL, "section_us: not a number"),
        ("way", "call_rcu", errno.EINVAL,
         "way: must be toy, synchronize_rcu or synchronize_rcu_expedited"),
    )

    def test_each_way_is_timed(self):
        with self.running():
            self.flat_out("writer")
            for way in WAYS:
                if way != "toy":        # there may be one already
                    self.no_data(f"wait_mean_ns_of_{way}")
                    self.assertEqual(self.files[f"updates_by_{way}"], 0)
                self.files["way"] = way
                self.grow(f"updates_by_{way}", by=20)
                mean = self.files[f"wait_mean_ns_of_{way}"]
                self.assertGreater(mean, 0)
                self.assertGreaterEqual(self.files[f"wait_longest_ns_of_{way}"], mean)
            self.stop()
            lines = [line.split() for line in
                     (demo.DEBUGFS / "toy_rcu/waits").read_text().splitlines()[1:]]
            for way in WAYS:
                self.assertEqual(sum(int(count) for name, _, count in lines if name == way),
                                 self.files[f"updates_by_{way}"])

    def test_long_sections_and_many_threads(self):
        with self.running():
            self.files["readers"] = 6
            self.files["writers"] = 3
            self.files["section_us"] = 2000
            self.flat_out()
            for way in self.all_ways():
                self.grow(f"updates_by_{way['way']}", by=10)
                self.promises_kept()
            self.stop()
            self.add_up()

    def test_all_cpus_are_visited_and_the_writer_goes_home(self):
        with self.running():
            demo.wait_for(lambda: self.files["cpus"] == g.NR_CPUS)
            writer, = self.threads("writer")
            for cpu in range(g.NR_CPUS):
                writer["cpu"] = cpu
                writer["interval_us"] = 1000
                self.grow("updates_by_toy", by=3)
                writer["interval_us"] = 3_600_000_000
                demo.wait_for(lambda cpu=cpu: demo.cpu_of("toy_rcu_writer0") == cpu)
            self.stop()

    @unittest.skipIf(g.NR_CPUS < 2, "needs a CPU that can go")
    def test_cpus_come_and_go_while_the_toy_visits_them(self):
        with self.running():
            self.files["writers"] = 3
            self.flat_out()
            for _ in range(4):
                g.online(LAST, False)
                try:
                    demo.wait_for(lambda: self.files["cpus"] == LAST)
                    self.grow("updates_by_toy", by=5)
                finally:
                    g.online(LAST, True)
                demo.wait_for(lambda: self.files["cpus"] == LAST + 1)
            self.stop()
            self.add_up()
