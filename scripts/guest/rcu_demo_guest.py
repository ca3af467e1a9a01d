# SPDX-License-Identifier: GPL-2.0-only
"""What tests and the demo share of rcu_demo.ko's files, inside a virtual machine."""

import contextlib
import os
import time
from pathlib import Path

import nmiprof_guest as g

SYSFS = Path("/sys/kernel/rcu_demo")
DEBUGFS = Path("/sys/kernel/debug/rcu_demo")


class Files:
    """A folder in sysfs: values are numbers where they can be."""

    def __init__(self, *path):
        self.path = SYSFS.joinpath(*path)

    def __getitem__(self, name):
        text = (self.path / name).read_text().strip()
        for number in (int, float):
            with contextlib.suppress(ValueError):
                return number(text)
        return text

    def __setitem__(self, name, value):
        error = self.set(name, value)
        if error:
            raise OSError(error, os.strerror(error), str(self.path / name))

    def set(self, name, value):
        """0, or the errno."""
        fd = os.open(self.path / name, os.O_WRONLY)
        try:
            os.write(fd, value if isinstance(value, bytes) else str(value).encode())
            return 0
        except OSError as error:
            return error.errno
        finally:
            os.close(fd)

    def names(self):
        return sorted(entry.name for entry in self.path.iterdir())

    def rate(self, name, seconds):
        """How fast a counter grows, in 1/s."""
        first, began = self[name], time.monotonic()
        time.sleep(seconds)
        return (self[name] - first) / (time.monotonic() - began)


def module(*parameters):
    return g.module("rcu_demo", *parameters)


def wait_for(condition, seconds=30):
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"not in {seconds} s: {condition.__doc__ or condition}")
        time.sleep(0.02)
