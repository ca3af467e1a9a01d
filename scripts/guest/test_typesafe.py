# SPDX-License-Identifier: GPL-2.0-only
"""Type-safe memory of rcu_demo.ko: objects reused under readers, bad input."""

import errno
import time
from pathlib import Path

import rcu_demo_guest as demo

MAX_SLOTS = 256


def caches():
    return [line.split()[0] for line in Path("/proc/slabinfo").read_text().splitlines()
            if line.startswith("rcu_demo_typesafe")]


class Typesafe(demo.Experiment):
    name = "typesafe"
    settings = {"way": "typesafe", "slots": 16, "backlog_max": 100_000}
    roles = {"reader": (3, 0, 1000), "writer": (1, 3, 1000)}
    ways = {"way": ("typesafe", "rcu", "global_lock")}
    grows = ("reads", "replaces")
    sums = {"reads": ("reader", "reads"), "retries": ("reader", "retries"),
            "reused": ("reader", "reused"), "replaces": ("writer", "replaces")}
    bad = (
        ("slots", 0, errno.ERANGE, "slots 0: must be 1 to 256"),
        ("slots", 257, errno.ERANGE, "slots 257: must be 1 to 256"),
        ("slots", (1 << 64) - 1, errno.ERANGE, "slots 18446744073709551615: must be"),
        ("slots", -1, errno.EINVAL, "slots: not a number"),
        ("backlog_max", 1 << 64, errno.ERANGE, "backlog_max: not a number"),
        ("way", "lock", errno.EINVAL, "way: must be typesafe, rcu or global_lock"),
    )

    def test_each_way_has_all_slots_filled_all_the_time(self):
        with self.running():
            for _ in self.all_ways():
                self.flat_out("writer")
                self.grow("replaces", by=5000)
            writer, = self.threads("writer")
            writer["interval_us"] = 3_600_000_000
            demo.wait_for(lambda: writer.rate("turns", 0.3) == 0)
            self.assertEqual(self.files["allocated"] - self.files["freed"], 3 * MAX_SLOTS)
            self.stop()

    def test_readers_that_meet_writers_try_again(self):
        with self.running():
            self.files["slots"] = 1
            self.files["writers"] = 2
            self.flat_out()
            self.grow("retries", by=3)
            for way in ("rcu", "global_lock"):
                self.files["way"] = way
                for thread in self.threads():
                    self.grow("turns", by=2, files=thread)
                self.stand_still("retries", "reused")
            self.stop()
            self.assertLessEqual(self.files["reused"], self.files["retries"])
            self.add_up()

    def test_what_waits_under_rcu_is_bounded(self):
        with self.running():
            self.files["readers"] = 0
            self.files["backlog_max"] = 100
            self.flat_out()
            self.stand_still("waiting", "throttled")    # the other ways leave nothing
            self.files["way"] = "rcu"
            for _ in range(50):
                # A turn is of 32.
                self.assertLessEqual(self.files["waiting"], 100 + 32)
                time.sleep(0.01)
            demo.wait_for(lambda: self.files["throttled"] > 1)
            self.stop()

    def test_the_cache_comes_and_goes_with_each_run(self):
        with self.loaded():
            self.assertEqual(caches(), [])
            for _ in range(10):
                self.files["run"] = 1
                self.assertEqual(len(caches()), 1)
                self.grow("reads")
                self.files["run"] = 0
                # 6.1 takes it apart after a grace period.
                demo.wait_for(lambda: not caches())
                self.assertEqual(self.files["allocated"], self.files["freed"])
