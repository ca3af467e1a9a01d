# SPDX-License-Identifier: GPL-2.0-only
"""The PID table of rcu_demo.ko: lookups under RCU and locks, references, bad input."""

import errno
import time

import rcu_demo_guest as demo

PUT_LAST = ("put_last_by_reader", "put_last_by_callback", "put_last_by_writer")


class PidTable(demo.Experiment):
    name = "pid_table"
    settings = {"readers_use": "rcu", "writers_put": "after_grace_period", "pids": 4096,
                "batch": 100, "use_us": 0, "backlog_max": 100_000}
    roles = {"reader": (3, 0, 1000), "writer": (1, 3, 100)}
    ways = {"readers_use": ("rcu", "rwlock", "spinlock"),
            "writers_put": ("after_grace_period", "at_once")}
    grows = ("lookups", "hits", "misses", "removes")
    sums = {name: ("reader", name) for name in ("lookups", "hits", "misses", "lost_races")}
    bad = (
        ("pids", 0, errno.ERANGE, "pids 0: must be 1 to 32768"),
        ("pids", 32769, errno.ERANGE, "pids 32769: must be 1 to 32768"),
        ("batch", 0, errno.ERANGE, "batch 0: must be 1 to 4294967295"),
        ("batch", 1 << 32, errno.ERANGE, "batch 4294967296: must be"),
        ("use_us", 1_000_001, errno.ERANGE, "use_us 1000001: must be 0 to 1000000"),
        ("backlog_max", -1, errno.EINVAL, "backlog_max: not a number"),
        ("backlog_max", 1 << 64, errno.ERANGE, "backlog_max: not a number"),
        ("readers_use", "mutex", errno.EINVAL, "readers_use: must be rcu, rwlock or spinlock"),
        ("writers_put", "never", errno.EINVAL,
         "writers_put: must be after_grace_period or at_once"),
    )

    def stop(self):
        super().stop()
        f = self.files
        self.assertEqual(f["lookups"], f["hits"] + f["misses"] + f["lost_races"])
        self.assertEqual(f["inserts"], f["removes"])
        self.assertEqual(f["removes"], sum(f[name] for name in PUT_LAST))

    def test_every_second_pid_is_there_at_first(self):
        with self.loaded():
            self.files["writers"] = 0
            self.files["pids"] = 32768
            self.files["run"] = 1
            self.assertEqual(self.files["inserts"], 32768 // 2)
            self.flat_out()
            self.grow("lookups", by=20_000)
            self.stop()
            self.assertAlmostEqual(self.files["hits"] / self.files["lookups"], 0.5, delta=0.05)

    def test_writers_count_what_they_do(self):
        with self.loaded():
            self.files["writers"] = 0
            self.files["run"] = 1
            at_first = self.files["inserts"]
            self.files["writers"] = 3
            self.flat_out("writer")
            self.grow("inserts", "removes", by=1000)
            # The table empties itself when it stops.
            there = {name: sum(thread[name] for thread in self.threads("writer"))
                     for name in ("already_there", "not_there")}
            self.assertGreater(min(there.values()), 0)
            self.stop()
            done = {name: sum(thread[name] for thread in self.threads("writer"))
                    for name in ("inserts", "removes", "already_there", "not_there", "failed")}
            self.assertEqual(self.files["inserts"], at_first + done["inserts"])
            self.assertLessEqual(done["removes"], self.files["removes"])
            self.assertEqual(sum(done.values()),
                             sum(thread["turns"] for thread in self.threads("writer")))

    def test_no_reader_finds_a_count_of_0_while_the_put_waits_for_a_grace_period(self):
        with self.running():
            self.files["pids"] = 1
            self.flat_out()
            self.grow("removes", "hits", by=1000)
            self.assertEqual(self.files["lost_races"], 0)
            self.assertEqual(self.files["put_last_by_writer"], 0)
            self.files["writers_put"] = "at_once"
            self.grow("put_last_by_writer", by=1000)
            self.files["writers_put"] = "after_grace_period"
            for reader in self.threads("reader"):
                self.grow("turns", by=2, files=reader)
            # One more writer's turn may have begun before.
            self.grow("put_last_by_callback", by=10)
            self.stand_still("lost_races", "put_last_by_writer")
            self.stop()

    def test_a_reader_that_uses_an_entry_beyond_its_removal_puts_it_last(self):
        with self.running():
            self.files["pids"] = 4
            self.flat_out("writer")
            for put in self.ways["writers_put"]:
                self.files["writers_put"] = put
                self.files["use_us"] = 200_000
                self.grow("put_last_by_reader", by=3)
            self.stop()

    def test_the_backlog_is_bounded(self):
        with self.running():
            self.files["readers"] = 0
            self.files["backlog_max"] = 100
            self.flat_out()
            for put in self.ways["writers_put"]:
                self.files["writers_put"] = put
                throttled = self.files["throttled"]
                for _ in range(30):
                    self.assertLessEqual(self.files["waiting"], 101)
                    time.sleep(0.01)
                demo.wait_for(lambda was=throttled: self.files["throttled"] > was)
            self.stop()

    def test_settings_count_in_the_middle_of_a_batch(self):
        with self.running():
            self.flat_out()
            self.files["batch"] = 4294967295
            time.sleep(0.5)
            was = [reader["turns"] for reader in self.threads("reader")]
            time.sleep(0.5)
            self.assertEqual([reader["turns"] for reader in self.threads("reader")], was)
            self.files["batch"] = 100
            for reader in self.threads("reader"):
                self.grow("turns", by=3, files=reader)
            self.files["batch"] = 4294967295
            self.files["use_us"] = 1_000_000
            self.stop()     # in the middle, too
