# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation of rcu_demo.ko fails once: a clean error or a counted skip, all as
before, no leak, and all that was allocated is freed."""

import os
import re
from pathlib import Path

import nmiprof_guest as g
import rcu_demo_guest as demo
from fault_injection import Case, finit_module, ids, writing

# Small in all respects: each person is an allocation.
PARAMETERS = "persons=100"
FREED = r"rcu_demo: \w+: \d+ objects allocated, as many freed"


class Allocations(Case):
    def setUp(self):
        super().setUp()
        self.log = g.Log()

    def tearDown(self):
        self.assertFalse(g.loaded("rcu_demo"))
        lines = self.log.lines(f"{g.REPORT}|{FREED}")
        self.assertTrue(lines)
        self.assertEqual([line for line in lines if not re.search(FREED, line)], [])

    def test_loading(self):
        g.run("strip", "-g", "-o", "/tmp/rcu_demo.ko", g.HERE / "rcu_demo.ko")
        image = os.open("/tmp/rcu_demo.ko", os.O_RDONLY)

        def check(n):
            self.assertFalse(g.loaded("rcu_demo"), n)
            self.assertFalse(demo.SYSFS.exists(), n)
            self.assertFalse(demo.DEBUGFS.exists(), n)

        count, refused = self.each_fails_once(lambda: finit_module(image, PARAMETERS),
                                              undo=lambda: g.unload("rcu_demo"), check=check)
        os.close(image)
        print(f"# loading: {count} allocations failed in turn, {refused} times it was refused")
        self.assertGreater(refused, 100)
        self.assertEqual(self.leaks(), "")

    def value(self, files, name, value, before, *, least):
        """Write `value` to a file that holds `before`."""
        fd = os.open(files.path / name, os.O_WRONLY)

        def check(n):
            self.assertEqual(files[name], before, f"{files.path}/{name}, allocation {n}")

        count, refused = self.each_fails_once(
            lambda: writing(fd, str(value).encode()),
            undo=lambda: files.set(name, before), check=check)
        os.close(fd)
        print(f"# {files.path.name}/{name} {value}: {count} allocations failed in turn, {refused} "
              "times it was refused")
        self.assertGreaterEqual(refused, least, f"{files.path}/{name}")

    def test_the_list_grows_and_shrinks(self):
        with demo.module(PARAMETERS):
            self.value(demo.Files("persons"), "size", 300, 100, least=200)
        self.assertEqual(self.leaks(), "")

    def test_more_threads(self):
        with demo.module(PARAMETERS):
            self.value(demo.Files("persons"), "readers", 5, 3, least=2)
            self.value(demo.Files("persons"), "writers", 3, 1, least=2)
        self.assertEqual(self.leaks(), "")

    def test_each_experiment_begins(self):
        with g.module(), demo.module("run=0", PARAMETERS):
            demo.Files("pid_table")["pids"] = 100
            demo.Files("typesafe")["slots"] = 100
            for folder in sorted(demo.SYSFS.iterdir()):
                if folder.is_dir():
                    self.value(demo.Files(folder.name), "run", 1, 0, least=1)
        self.assertEqual(self.leaks(), "")

    def test_an_update_without_memory_is_skipped_and_counted(self):
        with demo.module(PARAMETERS):
            persons, writer = demo.Files("persons"), demo.Files("persons", "writer0")
            writer["interval_us"] = 1000
            thread, = ids("persons_writer0")
            for way in ("synchronize_rcu", "call_rcu", "kfree_rcu"):
                persons["reclaim"] = way
                failed, updates = writer["failed"], persons[f"updates_by_{way}"]
                for _ in range(20):
                    Path("/proc", thread, "fail-nth").write_text("1")
                    self.assertTrue(g.wait_for(
                        lambda: Path("/proc", thread, "fail-nth").read_text().strip() == "0"), way)
                self.assertTrue(g.wait_for(lambda was=failed: writer["failed"] >= was + 10), way)
                self.assertTrue(g.wait_for(
                    lambda was=updates, way=way: persons[f"updates_by_{way}"] > was + 100), way)
                print(f"# {way}: {writer['failed'] - failed} updates skipped for want of memory")
            self.assertEqual(persons["size"], 100)
        self.assertEqual(self.leaks(), "")
