# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation of the module fails once: a clean error, all as before, no leak.

For a kernel with FAULT_INJECTION and DEBUG_KMEMLEAK (scripts/test-kernel's plain ones),
booted with kmemleak=on. /proc/PID/fail-nth makes the n-th allocation of a task fail
(Documentation/fault-injection in the kernel); n counts up until an operation is through
with fewer than n.
"""

import contextlib
import ctypes
import os
import time
import unittest
from pathlib import Path

import nmiprof_guest as g

INJECTION = Path("/sys/kernel/debug")
KMEMLEAK = INJECTION / "kmemleak"
SYS_FINIT_MODULE, SYS_DELETE_MODULE = 313, 176
MOST = 3000         # allocations that an operation may take, as a limit to this test
libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    """0, or the errno."""
    return ctypes.get_errno() if libc.syscall(number, *arguments) < 0 else 0


def set_up_injection():
    for kind in ("failslab", "fail_page_alloc"):
        (INJECTION / kind / "verbose").write_text("0")
        (INJECTION / kind / "ignore-gfp-wait").write_text("N")
    (INJECTION / "fail_page_alloc/ignore-gfp-highmem").write_text("N")
    (INJECTION / "fail_page_alloc/min-order").write_text("0")


def ids(name):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError):
            if Path("/proc", pid, "comm").read_text().strip() == name:
                found.append(pid)
    return found


class FailNth:
    """Makes allocations of this task fail, by its file fail-nth."""

    def __init__(self):
        self.fd = os.open("/proc/self/fail-nth", os.O_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def during(self, n, operation):
        """(operation's errno, whether an allocation failed)"""
        text = str(n).encode()
        os.pwrite(self.fd, text, 0)
        result = operation()
        left = int(os.pread(self.fd, 32, 0).split(b"\0")[0])
        os.pwrite(self.fd, b"0", 0)
        return result, left == 0


@unittest.skipUnless((INJECTION / "failslab").exists() and KMEMLEAK.exists(),
                     "the kernel injects no faults or looks for no leaks")
class Allocations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        set_up_injection()

    def setUp(self):
        KMEMLEAK.write_text("clear")

    def leaks(self):
        """What kmemleak finds; an object has to be some seconds old."""
        for _ in range(2):
            time.sleep(5.5)
            KMEMLEAK.write_text("scan")
        return KMEMLEAK.read_text()

    def each_fails_once(self, operation, *, undo, check):
        """Run `operation` until none of its allocations is left to fail. How many there
        were, and how many of them made it fail: the kernel can do without some, as with
        pages by the dozen, which it then takes one by one.

        undo: after it has succeeded. check: after it has failed, that nothing changed.
        """
        shown, refused = time.monotonic(), 0
        with FailNth() as fail:
            for n in range(1, MOST):
                if time.monotonic() > shown + 20:
                    shown = time.monotonic()
                    print(f"# {self.id()}: allocation {n}", flush=True)
                result, failed = fail.during(n, operation)
                if not failed:
                    self.assertEqual(result, 0, f"without a failed allocation, n = {n}")
                    undo()
                    return n - 1, refused
                if result == 0:
                    undo()
                else:
                    refused += 1
                    self.assertEqual(g.errno_name(result), "ENOMEM", f"allocation {n}")
                    check(n)
        self.fail(f"still not through after {MOST} allocations")

    def test_loading(self):
        # Small in all respects: each page is an allocation.
        g.run("strip", "-g", "-o", "/tmp/nmiprof.ko", g.HERE / "nmiprof.ko")
        image = os.open("/tmp/nmiprof.ko", os.O_RDONLY)

        def check(n):
            self.assertFalse(g.loaded(), n)
            self.assertFalse(g.SYSFS.exists(), n)
            self.assertFalse(g.DEBUGFS.exists(), n)

        count, refused = self.each_fails_once(
            lambda: syscall(SYS_FINIT_MODULE, image, b"enable=1 rate_hz=5000 granularity=65536", 0),
            undo=lambda: g.unload(), check=check)
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

            def operation():
                try:
                    os.write(fd, data)
                    return 0
                except OSError as error:
                    return error.errno

            def check(n):
                self.assertEqual(g.settings(), before, f"{name}, allocation {n}")
                self.assertEqual(g.imbalances(g.ledger()), [], f"{name}, allocation {n}")

            count, refused = self.each_fails_once(
                operation, undo=lambda: g.write(name, default), check=check)
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
