# SPDX-License-Identifier: GPL-2.0-only
"""IP options of rcu_demo.ko: copies in a read section or by a reference, bad input."""

import errno
import time

import rcu_demo_guest as demo


class IpOptions(demo.Experiment):
    name = "ip_options"
    settings = {"senders_use": "rcu", "batch": 100, "backlog_max": 100_000}
    roles = {"sender": (3, 0, 1000), "setter": (1, 3, 1000)}
    ways = {"senders_use": ("rcu", "refcount")}
    grows = ("packets", "without_options", "sets")
    sums = {name: ("sender", name) for name in ("packets", "without_options")}
    bad = (
        ("batch", 0, errno.ERANGE, "batch 0: must be 1 to 4294967295"),
        ("batch", 1 << 32, errno.ERANGE, "batch 4294967296: must be"),
        ("batch", "1 2", errno.EINVAL, "batch: not a number"),
        ("backlog_max", -1, errno.EINVAL, "backlog_max: not a number"),
        ("backlog_max", 1 << 64, errno.ERANGE, "backlog_max: not a number"),
        ("senders_use", "lock", errno.EINVAL, "senders_use: must be rcu or refcount"),
    )

    def test_no_set_is_lost(self):
        with self.running():
            self.files["setters"] = 3
            self.flat_out()
            self.grow("sets", by=1000)
            self.stop()
            setters = self.threads("setter")
            self.assertEqual(self.files["sets"] - 2,    # of starting and stopping
                             sum(setter["turns"] - setter["failed"] for setter in setters))

    def test_under_rcu_the_setter_puts_last(self):
        with self.running():
            self.flat_out()
            self.grow("sets", by=2000)
            self.assertEqual(self.files["put_last_by_sender"], 0)
            self.files["senders_use"] = "refcount"
            self.grow("put_last_by_sender")
            self.files["senders_use"] = "rcu"
            for sender in self.threads("sender"):
                self.grow("turns", by=2, files=sender)
            self.stand_still("put_last_by_sender")
            self.stop()

    def test_the_backlog_is_bounded(self):
        with self.running():
            self.files["senders"] = 0
            self.files["backlog_max"] = 100
            self.flat_out()
            for _ in range(50):
                self.assertLessEqual(self.files["waiting"], 101)
                time.sleep(0.01)
            demo.wait_for(lambda: self.files["throttled"] > 1)
            self.stop()

    def test_settings_count_in_the_middle_of_a_batch(self):
        with self.running():
            self.flat_out()
            self.files["batch"] = 4294967295
            time.sleep(0.5)
            was = [sender["turns"] for sender in self.threads("sender")]
            time.sleep(0.5)
            self.assertEqual([sender["turns"] for sender in self.threads("sender")], was)
            self.files["batch"] = 100
            for sender in self.threads("sender"):
                self.grow("turns", by=3, files=sender)
            self.files["batch"] = 4294967295
            time.sleep(0.2)
            self.stop()     # in the middle, too
