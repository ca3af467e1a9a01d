# SPDX-License-Identifier: GPL-2.0-only
"""A machine with one CPU: works by self-sent NMIs, and says what it cannot see."""

import time
import unittest

import nmiprof_guest as g


class OneCpu(unittest.TestCase):
    def test_samples_and_says_so(self):
        self.assertEqual(g.NR_CPUS, 1)
        with g.module():
            log = g.Log()
            g.write("enable", 1)
            with g.busy():
                time.sleep(1.5)
            g.write("enable", 0)
            self.assertEqual(len(log.lines("blind to code that runs with interrupts off")), 1)
            table = g.ledger()
            self.assertEqual(g.imbalances(table), [])
            self.assertGreater(table[0]["handled"], 500)
            dump = g.Dump("samples")
            # What the timer interrupted: never itself, so interrupts were on.
            self.assertGreater(dump.binned, 50)
            self.assertLess(sum(r[2] for r in dump.rows), 0.02 * dump.binned)
            self.assertGreater(len(dump.rows), 10)


if __name__ == "__main__":
    unittest.main()
