# SPDX-License-Identifier: GPL-2.0-only
"""Somebody else's NMIs, sent from outside by QEMU's monitor: none is swallowed."""

import re
import time
import unittest

import nmiprof_guest as g

COUNT = 40  # scripts/test sends as many for each line that asks for them


def unknown():
    return len(re.findall(r"Uhhuh. NMI received for unknown reason", g.kernel_log()))


def ask_for_nmis():
    """The line that scripts/test waits for; a pause in which they come."""
    print(f"# send {COUNT} NMIs", flush=True)
    time.sleep(COUNT * 0.05 + 4)


class Foreign(unittest.TestCase):
    def test_loaded_but_not_sampling(self):
        with g.module():
            before = unknown()
            ask_for_nmis()
            self.assertEqual(unknown() - before, COUNT)
            self.assertGreaterEqual(g.ledger()["total"]["foreign"], COUNT)

    def test_while_sampling(self):
        with g.module("nmiprof", "enable=1"):
            before = unknown()
            ask_for_nmis()
            g.write("enable", 0)
            table = g.ledger()
            hidden = table["total"]["late"]
            self.assertEqual(g.imbalances(table), [])
            self.assertEqual(unknown() - before + hidden, COUNT)
            self.assertGreater(unknown() - before, COUNT // 2)


if __name__ == "__main__":
    unittest.main()
