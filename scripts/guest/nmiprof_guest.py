# SPDX-License-Identifier: GPL-2.0-only
"""What tests inside a virtual machine share: the module, its files, its ledger."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import time
from pathlib import Path

HERE = Path("/nmiprof")
SYSFS = Path("/sys/kernel/nmiprof")
DEBUGFS = Path("/sys/kernel/debug/nmiprof")
NR_CPUS = os.cpu_count()

# A line of the kernel's log that says that something is wrong.
REPORT = (r"!!!|Uhhuh|Dazed and confused|\bBUG\b|WARNING:|Oops|general protection|unable to handle"
          r"|detected stalls|self-detected stall|soft lockup|blocked for more than"
          r"|list_(?:add|del) corruption|ODEBUG|UBSAN|INFO: (?:task|possible|rcu)|refcount_t:")


def run(*command, check=True, **kwargs):
    """Run a command; its stdout as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stderr}")
    return done.stdout if check else done


def load(name="nmiprof", *parameters):
    run("insmod", HERE / f"{name}.ko", *parameters)


def unload(name="nmiprof"):
    run("rmmod", name)


def loaded(name="nmiprof"):
    return Path("/sys/module", name).exists()


@contextlib.contextmanager
def module(name="nmiprof", *parameters):
    load(name, *parameters)
    try:
        yield
    finally:
        unload(name)


def read(name):
    return (SYSFS / name).read_text().strip()


def write(name, value):
    """Write to a sysfs file in one write(2); 0, or the errno."""
    data = value if isinstance(value, bytes) else str(value).encode()
    fd = os.open(SYSFS / name, os.O_WRONLY)
    try:
        os.write(fd, data)
        return 0
    except OSError as e:
        return e.errno
    finally:
        os.close(fd)


def settings():
    return {name: read(name) for name in
            ("enable", "rate_hz", "cpus", "granularity", "layout", "source")}


def ledger():
    """{"total" or CPU number: {term: count}}, all of one moment for each CPU."""
    lines = (DEBUGFS / "ledger").read_text().splitlines()
    terms = lines[0].split()[1:]
    table = {}
    for line in lines[1:]:
        cpu, *values = line.split()
        table[cpu if cpu == "total" else int(cpu)] = dict(zip(terms, map(int, values)))
    return table


def imbalances(table):
    """What does not add up, as text; empty when all does."""
    wrong = []
    for cpu, row in table.items():
        def total(prefix):
            return sum(v for k, v in row.items() if k.startswith(prefix))
        sums = {
            "due": row["sent"] + row["coalesced"] + total("skipped_"),
            "sent": row["handled"] + row["outstanding"] + total("lost_"),
            "samples": row["binned"] + row["user"] + row["idle"] + row["no_buffer"]
            + row["out_of_range"],
            "perf_due": row["perf_delivered"] + row["perf_excluded"] + row["perf_throttled"],
        }
        wrong += [f"cpu {cpu}: {term} {row[term]} != {value}: {row}"
                  for term, value in sums.items() if row[term] != value]
    return wrong


class Dump:
    """A dump as the samples and drain files give it."""

    def __init__(self, name):
        self.head, self.rows = {}, []
        for line in (DEBUGFS / name).read_text().splitlines():
            key, *rest = line.split()
            if key in ("bin", "out"):
                self.rows.append((int(rest[0], 16), int(rest[1]), int(rest[2])))
            elif key != "#":
                self.head[key] = rest[0] if len(rest) == 1 else rest

    def __getitem__(self, key):
        return int(self.head[key])

    @property
    def binned(self):
        return sum(total for _, total, _ in self.rows)


class Log:
    """The kernel's log from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self, pattern="."):
        """The lines since, or since the last call, that match."""
        found = []
        while True:
            try:
                text = os.read(self.fd, 8192).decode(errors="replace").split(";", 1)[1]
            except BlockingIOError:
                return found
            found += [line for line in text.splitlines()[:1] if re.search(pattern, line)]

    def __del__(self):
        os.close(self.fd)


def online(cpu, up):
    Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text("1" if up else "0")


@contextlib.contextmanager
def busy(seconds=None):
    """User space work, so that there is something to sample."""
    worker = subprocess.Popen(["sh", "-c", "while :; do cat /proc/kallsyms >/dev/null; done"])
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


def hold_switch_hooks():
    """perf's hooks in the scheduler are switched on and off by patching its code when the
    first task is watched and the last one no more. QEMU sometimes executes what was there
    a moment before ("Oops: int3"): with one task watched all the time they stay on.
    Returns what ends that."""
    watcher = subprocess.Popen(["perf", "stat", "-e", "dummy", "-p", str(os.getpid())],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)

    def end():
        watcher.send_signal(signal.SIGINT)
        watcher.wait()
    return end


def errno_name(number):
    return errno.errorcode.get(number, str(number)) if number else "0"


def wait_for(what, seconds=10):
    """Until what() is true; whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False
