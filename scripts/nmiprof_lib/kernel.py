# SPDX-License-Identifier: GPL-2.0-only
"""The module's files in sysfs and debugfs, and what their errors mean."""

import errno
import os
import re

from .errors import Failure
from .ledger import Ledger

SYSFS = "/sys/kernel/nmiprof"
DEBUGFS_MOUNT = "/sys/kernel/debug"
DEBUGFS = DEBUGFS_MOUNT + "/nmiprof"
SETTINGS = ("rate_hz", "cpus", "granularity", "layout")


def read_all(path):
    """The whole of a file as bytes. A file of the kernel has no size to trust."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while True:
            part = os.read(fd, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(fd)


def write_once(path, value):
    """Write a value by a single write(2), as sysfs wants it."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, (value + "\n").encode())
    finally:
        os.close(fd)


class Kernel:
    """The running kernel; NMIPROF_ROOT puts a fake tree in its place for tests."""

    def __init__(self):
        self.root = os.environ.get("NMIPROF_ROOT", "").rstrip("/")

    def path(self, path):
        return self.root + path

    # What must be true before anything else is tried.

    def loaded(self):
        return os.path.isdir(self.path(SYSFS))

    def require_loaded(self):
        if not self.loaded():
            raise Failure("the nmiprof module is not loaded: run `insmod nmiprof.ko`")

    def require_root(self):
        if os.geteuid() != 0 and not self.root:
            raise Failure("must be run as root")

    def require_all(self):
        """Root, module and debugfs are there; a clear message when not."""
        self.require_root()
        self.require_loaded()
        self.ledger()

    # sysfs

    def get(self, name):
        path = self.path(f"{SYSFS}/{name}")
        try:
            return read_all(path).decode("ascii", "replace").strip()
        except OSError as error:
            raise self._explain("read", path, error) from None

    def set(self, name, value):
        path = self.path(f"{SYSFS}/{name}")
        try:
            write_once(path, value)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
                raise self._explain("write", path, error) from None
            raise Failure(f"cannot write '{value}' to {path}: {describe(error)}; "
                          "`dmesg` may have the reason") from None

    def settings(self):
        return {name: self.get(name) for name in SETTINGS}

    def enabled(self):
        return self.get("enable") not in ("0", "N", "n", "")

    def module_version(self):
        try:
            version = read_all(self.path("/sys/module/nmiprof/version"))
            return version.decode("ascii", "replace").strip()
        except OSError:
            return None

    # debugfs

    def ledger(self):
        """One consistent snapshot of the ledger."""
        return Ledger.parse(self._debugfs("ledger").decode("ascii", "replace"))

    def ledger_from_stats(self):
        """The ledger read file by file from sysfs: anyone may, but not a snapshot."""
        top = self.path(SYSFS + "/stats")

        def row(directory):
            return {entry: int(read_all(f"{directory}/{entry}"))
                    for entry in sorted(os.listdir(directory))
                    if os.path.isfile(f"{directory}/{entry}")}
        try:
            # The CPUs have directories of their own in the same place.
            numbers = sorted((int(match[1]) for entry in os.listdir(top)
                              if (match := re.fullmatch(r"cpu(\d+)", entry))))
            cpus = {str(n): row(f"{top}/cpu{n}") for n in numbers}
            # The buffer's files stand beside the ledger's terms, which each CPU has as well.
            terms = set().union(*cpus.values())
            return Ledger({name: value for name, value in row(top).items() if name in terms}, cpus)
        except OSError as error:
            raise self._explain("read", error.filename or top, error) from None
        except ValueError:
            raise Failure(f"{top}: a file there does not hold a number") from None

    def drain(self):
        """Take everything counted since the last drain."""
        return self._debugfs("drain").decode("ascii", "replace")

    def _debugfs(self, name):
        path = self.path(f"{DEBUGFS}/{name}")
        try:
            return read_all(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                self.require_loaded()
                if not self._debugfs_mounted():
                    raise Failure("debugfs is not mounted: run "
                                  f"`mount -t debugfs none {DEBUGFS_MOUNT}`") from None
            raise self._explain("read", path, error) from None

    def _debugfs_mounted(self):
        try:
            mounts = read_all(self.path("/proc/mounts")).decode("utf-8", "replace")
        except OSError:
            return True         # not known: do not blame it
        return any(line.split()[1:3] == [DEBUGFS_MOUNT, "debugfs"]
                   for line in mounts.splitlines())

    # procfs

    def kallsyms(self):
        return self._procfs("/proc/kallsyms")

    def modules(self):
        try:
            return self._procfs("/proc/modules")
        except Failure:
            return b""          # a kernel without it has no such list

    def _procfs(self, name):
        path = self.path(name)
        try:
            return read_all(path)
        except OSError as error:
            raise self._explain("read", path, error) from None

    # errors

    def _lockdown(self):
        """The lockdown mode in force, or None."""
        try:
            text = read_all(self.path("/sys/kernel/security/lockdown")).decode("ascii", "replace")
        except OSError:
            return None
        match = re.search(r"\[(\w+)\]", text)
        return match[1] if match and match[1] != "none" else None

    def _explain(self, verb, path, error):
        if error.errno == errno.ENOENT:
            if path.startswith(self.path(SYSFS)) and not self.loaded():
                return Failure("the nmiprof module is not loaded: run `insmod nmiprof.ko`")
            return Failure(f"{path} does not exist: module and tool do not fit together, "
                           "or the module was just removed")
        if error.errno in (errno.EPERM, errno.EACCES):
            mode = self._lockdown()
            if error.errno == errno.EPERM and mode:
                return Failure(f"cannot {verb} {path}: the kernel is locked down ({mode}, "
                               "see /sys/kernel/security/lockdown)")
            if os.geteuid() != 0:
                return Failure(f"cannot {verb} {path}: must be run as root")
        return Failure(f"cannot {verb} {path}: {describe(error)}")


def describe(error):
    """An OSError as 'Invalid argument (EINVAL)'."""
    return f"{os.strerror(error.errno)} ({errno.errorcode.get(error.errno, error.errno)})"
