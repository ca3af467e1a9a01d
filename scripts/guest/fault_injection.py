# SPDX-License-Identifier: GPL-2.0-only
"""Makes allocations fail one after the other, and looks for leaks.

For a kernel with FAULT_INJECTION and DEBUG_KMEMLEAK (scripts/test-kernel's plain ones),
booted with kmemleak=on. /proc/PID/fail-nth makes the n-th allocation of a task fail
(Documentation/fault-injection in the kernel); n counts up until an operation is through
with fewer than n.
"""

import contextlib
import ctypes
import os
import re
import time
import unittest
from pathlib import Path

import nmiprof_guest as g

INJECTION = Path("/sys/kernel/debug")
KMEMLEAK = INJECTION / "kmemleak"
SYS_FINIT_MODULE = 313
# The name of a slab cache whose directory in sysfs could not be made (6.12's SLUB).
LEAKS_OF_THE_KERNEL = ("sysfs_slab_add",)
MOST = 3000         # allocations that an operation may take, as a limit to this test
libc = ctypes.CDLL(None, use_errno=True)


def finit_module(image, parameters):
    """0, or the errno. `image`: a file descriptor."""
    failed = libc.syscall(SYS_FINIT_MODULE, image, parameters.encode(), 0) < 0
    return ctypes.get_errno() if failed else 0


def writing(fd, data):
    """0, or the errno."""
    try:
        os.write(fd, data)
        return 0
    except OSError as error:
        return error.errno


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
class Case(unittest.TestCase):
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
        found = re.split(r"^(?=unreferenced object)", KMEMLEAK.read_text(), flags=re.M)
        return "".join(of for of in found if not any(name in of for name in LEAKS_OF_THE_KERNEL))

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
