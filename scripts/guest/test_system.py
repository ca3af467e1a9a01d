# SPDX-License-Identifier: GPL-2.0-only
"""What happens to a machine while it is sampled: hotplug, suspend."""

import random
import time
import unittest
from pathlib import Path

import nmiprof_guest as g


class Hotplug(unittest.TestCase):
    def tearDown(self):
        for cpu in range(1, g.NR_CPUS):
            g.online(cpu, True)

    def test_cpus_come_and_go(self):
        generator = random.Random(1)
        with g.module("nmiprof", "enable=1", "rate_hz=5000"), g.busy():
            for _ in range(12):
                cpu = generator.randrange(1, g.NR_CPUS)
                g.online(cpu, generator.random() < 0.5)
                time.sleep(0.05)
                self.assertEqual(g.imbalances(g.ledger()), [])
            for cpu in range(1, g.NR_CPUS):
                g.online(cpu, True)
            before = g.ledger()
            time.sleep(0.5)
            after = g.ledger()
            for cpu in range(g.NR_CPUS):
                self.assertGreater(after[cpu]["handled"], before[cpu]["handled"], cpu)
                self.assertEqual(after[cpu]["lost_timeout"], 0)

    def test_down_to_one_cpu_and_back(self):
        with g.module("nmiprof", "enable=1"), g.busy():
            for cpu in range(1, g.NR_CPUS):
                g.online(cpu, False)
            before = g.ledger()
            time.sleep(0.7)
            after = g.ledger()
            self.assertGreater(after[0]["handled"], before[0]["handled"] + 100)
            self.assertEqual(after[1]["due"], before[1]["due"])
            self.assertEqual(g.imbalances(after), [])
            for cpu in range(1, g.NR_CPUS):
                g.online(cpu, True)
            time.sleep(0.5)
            self.assertGreater(g.ledger()[1]["handled"], after[1]["handled"])

    def test_a_cpu_that_was_off_when_sampling_began(self):
        g.online(2, False)
        with g.module("nmiprof", "enable=1"):
            time.sleep(0.2)
            self.assertEqual(g.ledger()[2]["due"], 0)
            g.online(2, True)
            time.sleep(0.5)
            row = g.ledger()[2]
            self.assertGreater(row["handled"], 100)
            self.assertEqual(row["no_buffer"], 0)

    def test_unload_with_a_cpu_off(self):
        with g.module("nmiprof", "enable=1", "rate_hz=5000"):
            g.online(1, False)
            time.sleep(0.1)


class Suspend(unittest.TestCase):
    @unittest.skipUnless(Path("/sys/power/pm_test").exists(), "kernel without PM_DEBUG")
    def test_sampling_goes_on_after_suspend(self):
        with g.module("nmiprof", "enable=1", "rate_hz=2000"):
            time.sleep(0.2)
            before = g.ledger()["total"]["handled"]
            Path("/sys/power/pm_test").write_text("processors")
            try:
                Path("/sys/power/state").write_text("mem" if "mem" in Path("/sys/power/state").read_text()
                                                    else "freeze")
            finally:
                Path("/sys/power/pm_test").write_text("none")
            resumed = g.ledger()
            self.assertEqual(g.imbalances(resumed), [])
            time.sleep(0.5)
            after = g.ledger()
            self.assertEqual(g.imbalances(after), [])
            self.assertGreater(before, 0)
            for cpu in range(g.NR_CPUS):
                self.assertGreater(after[cpu]["handled"], resumed[cpu]["handled"])
                self.assertEqual(after[cpu]["lost_timeout"], 0)
            # It was paused for the five seconds that such a test lasts.
            self.assertLess(after[0]["due"], 2000 * 4)


if __name__ == "__main__":
    unittest.main()
