# SPDX-License-Identifier: GPL-2.0-only
"""Lockdown: to be run last in a boot, as there is no way back."""

import time
import unittest
from pathlib import Path

import nmiprof_guest as g

LOCKDOWN = Path("/sys/kernel/security/lockdown")


class Lockdown(unittest.TestCase):
    @unittest.skipUnless(LOCKDOWN.exists(), "kernel without lockdown")
    def test_dumps_and_settings_still_work(self):
        with g.module("nmiprof", "enable=1"):
            LOCKDOWN.write_text("integrity")
            time.sleep(0.3)
            for name in ("ledger", "samples", "profile", "drain", "handlers"):
                self.assertGreater(len((g.DEBUGFS / name).read_bytes()), 0, name)
            self.assertEqual(g.write("rate_hz", 499), 0)
            self.assertEqual(g.write("enable", 0), 0)


if __name__ == "__main__":
    unittest.main()
