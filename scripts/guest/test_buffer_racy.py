# SPDX-License-Identifier: GPL-2.0-only
"""The racy way of rcu_demo.ko's buffer_ways corrupts memory: KASAN sees it, and the ledger.

For a kernel with KASAN, with --allow 'KASAN:'. The one report of a boot is what is wanted.
"""

import gzip
import unittest
from pathlib import Path

import nmiprof_guest as g
import rcu_demo_guest as demo

CONFIG = Path("/proc/config.gz")
KASAN = CONFIG.exists() and b"\nCONFIG_KASAN=y\n" in gzip.decompress(CONFIG.read_bytes())


@unittest.skipUnless(KASAN, "corrupts memory where there is no KASAN")
class Racy(demo.Case):
    name = "buffer_ways"
    needs = ("nmiprof",)

    def tearDown(self):
        self.assertFalse(g.loaded("rcu_demo"))
        self.assertEqual(self.log.lines("!!!"), [])

    def test_nmis_count_into_freed_memory_and_it_shows(self):
        with self.loaded("allow_racy=1"):
            files = self.files
            files["nmi_hold_ns"] = 50_000
            files["way"] = "racy"
            files["run"] = 1
            demo.Files(self.name, "writer0")["interval_us"] = 0
            demo.Files(self.name, "sampler0")["interval_us"] = 200
            demo.wait_for(lambda: files["seen_freed_by_racy"] and files["lost_no_buffer"], 60)
            said = self.log.lines("BUG: KASAN: ")
            self.assertRegex(said[0], r"use-after-free in .*\[rcu_demo\]")
            # What was lost has a name as soon as the way is another; the rest is right.
            files["way"] = "rcu"
            raced, no_buffer = files["lost_raced"], files["lost_no_buffer"]
            self.assertGreater(raced, 0)
            self.assertEqual(files["unaccounted"], 0)
            was = files["samples"]
            demo.wait_for(lambda: files["samples"] > was + 100)
            files["run"] = 0
            self.assertEqual((files["lost_raced"], files["lost_no_buffer"]), (raced, no_buffer))
            self.assertEqual(files["samples"], files["drained"] + raced + no_buffer
                             + files["lost_lock_held"])
            self.assertEqual(files["seen_freed"], 0)
        self.assertTrue(self.all_freed())
