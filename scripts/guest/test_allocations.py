# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation of the module fails once: a clean error, all as before, no leak."""

import contextlib
import os
import unittest
from pathlib import Path

import nmiprof_guest as g
from fault_injection import Case, finit_module, ids, writing


class Allocations(Case):
    def test_loading(self):
        # Small in all respects: each page is an allocation.
        g.run("strip", "-g", "-o", "/tmp/nmiprof.ko", g.HERE / "nmiprof.ko")
        image = os.open("/tmp/nmiprof.ko", os.O_RDONLY)

        def check(n):
            self.assertFalse(g.loaded(), n)
            self.assertFalse(g.SYSFS.exists(), n)
            self.assertFalse(g.DEBUGFS.exists(), n)

        count, refused = self.each_fails_once(
            lambda: finit_module(image, "enable=1 rate_hz=5000 granularity=65536"),
            undo=g.unload, check=check)
        os.close(image)
        print(f"# loading: {count} allocations failed in turn, {refused} times it was refused")
        self.assertGreater(refused, 50)
        self.assertEqual(self.leaks(), "")

    def setting(self, name, value, default, *, sampling, least):
        """Write `value` to a setting."""
        with g.module("nmiprof", "rate_hz=5000", f"enable={int(sampling)}"), g.busy():
            before = g.settings()
            fd = os.open(g.SYSFS / name, os.O_WRONLY)
            data = value.encode()

            def check(n):
                self.assertEqual(g.settings(), before, f"{name}, allocation {n}")
                self.assertEqual(g.imbalances(g.ledger()), [], f"{name}, allocation {n}")

            count, refused = self.each_fails_once(
                lambda: writing(fd, data), undo=lambda: g.write(name, default), check=check)
            os.close(fd)
            print(f"# {name} {value}{', sampling' * sampling}: {count} allocations failed in turn, "
                  f"{refused} times it was refused")
            self.assertGreaterEqual(refused, least)
            if sampling:
                before = g.ledger()["total"]["handled"]
                self.assertTrue(g.wait_for(lambda: g.ledger()["total"]["handled"] > before + 100))

    def test_settings(self):
        self.setting("enable", "1", "0", sampling=False, least=3)
        self.setting("granularity", "1024", "0", sampling=True, least=3)
        self.setting("layout", "shared", "percpu", sampling=True, least=2)
        self.setting("rate_hz", "97", "5000", sampling=True, least=1)
        self.setting("cpus", "0-1", "all", sampling=True, least=1)
        self.assertEqual(self.leaks(), "")

    def test_dumps(self):
        with g.module("nmiprof", "rate_hz=5000", "enable=1"), g.busy():
            for name in sorted(os.listdir(g.DEBUGFS)):

                def operation(path=g.DEBUGFS / name):
                    try:
                        fd = os.open(path, os.O_RDONLY)
                    except OSError as error:
                        return error.errno
                    try:
                        while os.read(fd, 1 << 20):
                            pass
                        return 0
                    except OSError as error:
                        return error.errno
                    finally:
                        os.close(fd)

                def check(n, name=name):
                    self.assertEqual(g.imbalances(g.ledger()), [], f"{name}, allocation {n}")

                count, refused = self.each_fails_once(operation, undo=lambda: None, check=check)
                print(f"# reading {name}: {count} allocations failed in turn, "
                      f"{refused} times it was refused")
                self.assertGreaterEqual(refused, 1, name)
        self.assertEqual(self.leaks(), "")

    def test_handlers(self):
        """nmiprof_torture's threads register and replace; for want of memory all stays."""
        parameters = Path("/sys/module/nmiprof_torture/parameters")
        with g.module(), g.module("nmiprof_torture", "nwriters=1", "nfakewriters=1", "stutter=0",
                                  "nreaders=1"):
            failed = 0
            for name in ("torture_write", "torture_fake"):
                threads = ids(name)
                self.assertEqual(len(threads), 1, name)
                fail_nth = Path("/proc", threads[0], "fail-nth")
                for turn in range(30):
                    fail_nth.write_text(str(1 + turn % 2))
                    self.assertTrue(g.wait_for(lambda: int(fail_nth.read_text()) == 0), name)
                    failed += 1
            refused = int((parameters / "no_memory").read_text())
            self.assertEqual(int((parameters / "failures").read_text()), 0)
        print(f"# registering and replacing: {failed} allocations failed, {refused} calls refused")
        self.assertGreaterEqual(refused, failed // 3)
        self.assertEqual(self.leaks(), "")

    def test_cpu_that_comes_online(self):
        """Without memory the CPU stays off, or is online and not sampled; the others are
        sampled all the same.

        By the module's own means (fail_alloc of a build with FAULTS=1): the kernel does
        not always get over failures of its own in the middle of hotplug.
        """
        fail_alloc = Path("/sys/module/nmiprof/parameters/fail_alloc")
        g.online(3, False)      # so that it has no buffer yet
        g.run("insmod", g.HERE / "nmiprof-faults.ko", "rate_hz=5000", "enable=1")
        try:
            for n in range(1, 100):
                g.online(3, False)
                fail_alloc.write_text(str(n))
                with contextlib.suppress(OSError):
                    g.online(3, True)
                failed = fail_alloc.read_text().strip() == "0"
                fail_alloc.write_text("0")
                self.assertEqual(g.imbalances(g.ledger()), [], n)
                before = g.ledger()[0]["handled"]
                self.assertTrue(g.wait_for(lambda: g.ledger()[0]["handled"] > before + 50), n)
                g.online(3, True)
                if not failed:
                    break
            print(f"# CPU 3 online: {n - 1} allocations failed in turn")
            self.assertGreaterEqual(n - 1, 2)
            before = g.ledger()[3]["handled"]
            self.assertTrue(g.wait_for(lambda: g.ledger()[3]["handled"] > before + 50))
        finally:
            g.online(3, True)
            g.unload()
        self.assertEqual(self.leaks(), "")


if __name__ == "__main__":
    unittest.main()
