# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for grace periods in rcu_demo.ko: what it costs, what readers see, bad input."""

import errno
import time

import rcu_demo_guest as demo

WAYS = ("synchronize_rcu", "synchronize_rcu_expedited", "call_rcu", "polled")
WAITS = tuple(f"waits_by_{way}" for way in WAYS)


class GracePeriods(demo.Experiment):
    name = "grace_periods"
    settings = {"way": "synchronize_rcu"}
    roles = {"reader": (3, 0, 1000), "waiter": (1, 3, 10_000)}
    ways = {"way": WAYS}
    grows = ("looks", "allocated", "freed")
    sums = {"looks": ("reader", "turns"), WAITS: ("waiter", "turns")}
    bad = (
        ("way", "rcu_barrier", errno.EINVAL, "way: must be synchronize_rcu, "
         "synchronize_rcu_expedited, call_rcu or polled"),
        ("way", b"polled\0", errno.EINVAL, "way: holds a zero byte"),
    )

    def test_each_way_is_timed(self):
        with self.running():
            self.flat_out("waiter")
            for way in WAYS:
                if way != WAYS[0]:        # there may be one already
                    self.no_data(f"grace_period_mean_ns_of_{way}")
                self.files["way"] = way
                self.grow(f"waits_by_{way}", by=5)
                mean = self.files[f"grace_period_mean_ns_of_{way}"]
                self.assertGreater(mean, 0)
                self.assertGreaterEqual(self.files[f"grace_period_longest_ns_of_{way}"], mean)
            self.stop()
            lines = [line.split() for line in
                     (demo.DEBUGFS / "grace_periods/grace_periods").read_text().splitlines()[1:]]
            for way in WAYS:
                self.assertEqual(sum(int(count) for name, _, count in lines if name == way),
                                 self.files[f"waits_by_{way}"])

    def test_a_long_reader_delays_all_who_wait(self):
        with self.running():
            reader = demo.Files(self.name, "reader0")
            reader["hold_us"] = 100_000
            reader["interval_us"] = 0
            self.flat_out("waiter")
            for way in WAYS:
                self.files["way"] = way
                self.grow(f"waits_by_{way}")
                demo.wait_for(lambda way=way:
                              self.files[f"grace_period_longest_ns_of_{way}"] > 50_000_000)
            # It delays nobody else.
            other = demo.Files(self.name, "reader1")
            was, looks = reader["looks"], other["looks"]
            demo.wait_for(lambda: reader["looks"] >= was + 5)
            self.assertGreater(other["looks"], looks + 10)
            self.stop()

    def test_readers_say_how_stale_what_they_held_was(self):
        with self.running():
            self.files["way"] = "synchronize_rcu_expedited"
            self.files["waiters"] = 3
            reader = demo.Files(self.name, "reader0")
            self.flat_out()
            reader["hold_us"] = 50_000
            self.grow("looks", files=reader)
            demo.wait_for(lambda: reader["stale_versions_longest"] >= 1)
            demo.wait_for(lambda: reader["stale_longest_ns"] > 0)
            self.stop()
            for files in self.files, reader:
                self.assertLessEqual(files["stale_mean_ns"], files["stale_longest_ns"])
                self.assertLess(files["stale_longest_ns"], 600e9)
                self.assertLessEqual(files["stale_versions_mean"], files["stale_versions_longest"])
            self.assertGreaterEqual(self.files["stale_longest_ns"], reader["stale_longest_ns"])

    def test_each_run_counts_from_0(self):
        with self.loaded():
            for _ in range(3):
                for files in self.files.folders():
                    for name in ("stale_mean_ns", "stale_longest_ns", "stale_versions_mean"):
                        if name in files and not files["looks"]:
                            self.no_data(name, files)
                self.files["run"] = 1
                self.grow("looks", "waits_by_synchronize_rcu")
                self.stop()
                self.add_up()       # turns begin at 0 with each run

    def test_stopping_does_not_wait_for_long_readers(self):
        with self.running():
            self.flat_out()
            for way in WAYS:
                self.files["way"] = way
                self.files["run"] = 1
                for reader in self.threads("reader"):
                    reader["hold_us"] = 1_000_000
                time.sleep(0.3)
                self.stop()

    def test_bad_hold_us(self):
        with self.running():
            reader = demo.Files(self.name, "reader0")
            reader["hold_us"] = 7
            for value, error, line in (
                    (1_000_001, errno.ERANGE, "hold_us 1000001: must be 0 to 1000000"),
                    ((1 << 64) - 1, errno.ERANGE, "hold_us 18446744073709551615: must be"),
                    (-1, errno.EINVAL, "hold_us: not a number"),
                    (1 << 64, errno.ERANGE, "hold_us: not a number")):
                self.refused(reader, "hold_us", value, error, line)
            self.assertEqual(reader["hold_us"], 7)
