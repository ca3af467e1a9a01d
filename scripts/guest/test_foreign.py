# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else's NMIs, sent from outside by QEMU's monitor: none is swallowed."""

import re
import time
import unittest

import nmiprof_guest as g

# The kernel reports ten unknown NMIs in five seconds at most: fewer are sent, by
# scripts/test, for each line that asks for them.
COUNT, PAUSE = 12, 0.6


def unknown():
    return len(re.findall(r"Uhhuh. NMI received for unknown reason", g.run("dmesg")))


def ask_for_nmis():
    """The line that scripts/test waits for; a pause in which they come."""
    print(f"# send {COUNT} NMIs every {PAUSE} s", flush=True)
    time.sleep(COUNT * PAUSE + 4)


class Foreign(unittest.TestCase):
    def test_loaded_but_not_sampling(self):
        with g.module():
            before = unknown()
            ask_for_nmis()
            self.assertEqual(unknown() - before, COUNT)
            self.assertGreaterEqual(g.ledger()["total"]["foreign"], COUNT)

    def test_while_sampling(self):
        """One that meets one of ours in the CPU's latch becomes one NMI with it.

        A CPU keeps one NMI pending, no more, so that the two cannot be told apart; an
        unknown NMI is then not reported, whoever sends the other. Hence a low rate.
        """
        with g.module("nmiprof", "enable=1", "rate_hz=97"):
            before = unknown()
            ask_for_nmis()
            g.write("enable", 0)
            table = g.ledger()
            reported, hidden = unknown() - before, table["total"]["late"]
            print(f"# {COUNT} sent, {reported} reported as unknown, "
                  f"{hidden} taken for late ones of ours, {COUNT - reported - hidden} merged")
            self.assertEqual(g.imbalances(table), [])
            self.assertLessEqual(reported + hidden, COUNT)
            self.assertGreaterEqual(reported, COUNT // 2)


if __name__ == "__main__":
    unittest.main()
