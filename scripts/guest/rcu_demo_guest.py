# SPDX-License-Identifier: GPL-2.0-only
"""What tests and the demo share of rcu_demo.ko's files, inside a virtual machine."""

import concurrent.futures
import contextlib
import errno
import itertools
import os
import random
import re
import time
import unittest
from pathlib import Path

import nmiprof_guest as g

SYSFS = Path("/sys/kernel/rcu_demo")
DEBUGFS = Path("/sys/kernel/debug/rcu_demo")

# What counts broken promises, whichever experiment has it.
BROKEN = ("seen_freed", "wrong_pid", "torn", "seen_dead", "wrong_slot", "returned_early",
          "unaccounted")
CHOICES = {}    # what has been found out
REFUSALS = {errno.EINVAL, errno.ERANGE, errno.EPERM, errno.ENODEV, errno.EBUSY}


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

    def __contains__(self, name):
        return (self.path / name).exists()

    def writable(self):
        """Names of what can be set."""
        return [name for name in self.names()
                if (self.path / name).is_file() and (self.path / name).stat().st_mode & 0o200]

    def folders(self):
        """This one and the threads' in it."""
        return [self, *(Files(entry) for entry in sorted(self.path.iterdir()) if entry.is_dir())]

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


def cpu_of(name):
    """Where a kernel thread runs or last ran."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                head, _, rest = file.read().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if head.endswith(f"({name}"):
            return int(rest.split()[36])
    raise AssertionError(f"no thread {name}")


class Case(unittest.TestCase):
    """What tests of any experiment use."""

    name = ""       # the experiment's
    needs = ()      # modules besides

    def setUp(self):
        self.log = g.Log()
        self.files = Files(self.name)

    def tearDown(self):
        self.assertFalse(g.loaded("rcu_demo"))
        self.assertEqual(self.log.lines(g.REPORT), [])

    def all_freed(self):
        """After unloading: the module's own verdict."""
        return self.log.lines(rf"rcu_demo: {self.name}: \d+ objects allocated, as many freed")

    @contextlib.contextmanager
    def loaded(self, *parameters):
        with contextlib.ExitStack() as stack:
            for needed in self.needs:
                stack.enter_context(g.module(needed))
            with module("run=0", *parameters):
                yield

    @contextlib.contextmanager
    def running(self, *parameters):
        with self.loaded(*parameters):
            self.files["run"] = 1
            yield

    def refused(self, files, name, value, error, line):
        """It gets its errno and one line in the log, and nothing is changed."""
        was = files[name]
        self.log.lines()
        self.assertEqual(files.set(name, value), error, (name, value))
        self.assertEqual(files[name], was)
        said = self.log.lines("rcu_demo: refused: ")
        self.assertEqual(len(said), 1, (name, value, said))
        self.assertRegex(said[0], re.escape(f"rcu_demo: refused: {line}"))

    def no_data(self, name, files=None):
        with self.assertRaises(OSError, msg=name) as raised:
            _ = (files or self.files)[name]
        self.assertEqual(raised.exception.errno, errno.ENODATA, name)

    def promises_kept(self):
        for files in self.files.folders():
            for name in BROKEN:
                if name in files:
                    self.assertEqual(files[name], 0, files.path / name)
        if "freed" in self.files:
            freed = self.files["freed"]
            self.assertLessEqual(freed, self.files["allocated"])

    def stop(self):
        """Promptly; nothing is left."""
        began = time.monotonic()
        self.files["run"] = 0
        self.assertLess(time.monotonic() - began, 10)
        self.promises_kept()
        if "allocated" in self.files:
            self.assertEqual(self.files["allocated"], self.files["freed"])
            self.assertGreater(self.files["freed"], 0)
        if "waiting" in self.files:
            self.assertEqual(self.files["waiting"], 0)

    def grow(self, *counters, by=1, files=None, seconds=60):
        """Until each has grown by so much."""
        files = files or self.files
        was = {name: files[name] for name in counters}
        for name in counters:
            wait_for(lambda name=name: files[name] >= was[name] + by, seconds)

    def stand_still(self, *counters, seconds=1):
        was = {name: self.files[name] for name in counters}
        time.sleep(seconds)
        self.assertEqual({name: self.files[name] for name in counters}, was)

    def choices(self, files, name):
        """What a setting can be, as it says when it refuses; None: a number."""
        key = files.path.parent.name, files.path.name.rstrip("0123456789"), name
        if not isinstance(files[name], str):
            return None
        while key not in CHOICES:
            self.log.lines()
            self.assertEqual(files.set(name, "nonsense"), errno.EINVAL)
            for line in self.log.lines(f"rcu_demo: refused: {name}: must be "):
                CHOICES[key] = re.split(", | or ", line.partition(": must be ")[2])
                return CHOICES[key]
            time.sleep(0.5)     # after ten of them the log takes none for 5 s
        return CHOICES[key]

    def plausible(self, name):
        """Numbers that a setting may well have."""
        if name == "run":
            return (0, 1, 1, 1)
        if name == "cpu":
            return range(g.NR_CPUS)
        # Some of them are too many for some settings: refused.
        return (0, 1, 2, 3, 5, 70) if name.endswith("s") and "_" not in name else (0, 1, 10, 300, 2000)


class Experiment(Case):
    """What holds for each experiment: a class of tests derives from this."""

    settings = {}   # and their defaults
    roles = {}      # of threads: {"reader": (how many, the first one's CPU, interval_us)}
    ways = {}       # {setting: what it can be}
    grows = ()      # counters that grow, whichever way
    # {counter, or several: (role, the threads' own)}: what all count and what each does
    # comes to the same when it has stopped.
    sums = {}
    bad = ()        # (setting, value, errno, line)

    def threads(self, *roles):
        return [Files(self.name, f"{role}{nr}") for role in roles or self.roles
                for nr in range(self.files[f"{role}s"])]

    def flat_out(self, *roles):
        for thread in self.threads(*roles):
            thread["interval_us"] = 0

    def all_ways(self):
        """Sets one after another."""
        for values in itertools.product(*self.ways.values()):
            for name, value in zip(self.ways, values):
                self.files[name] = value
            yield dict(zip(self.ways, values))

    def add_up(self):
        for names, (role, own) in self.sums.items():
            names = (names,) if isinstance(names, str) else names
            self.assertEqual(sum(self.files[name] for name in names),
                             sum(thread[own] for thread in self.threads(role)), names)

    def test_defaults(self):
        with self.loaded():
            self.assertEqual(self.files["run"], 0)
            for name, value in self.settings.items():
                self.assertEqual(self.files[name], value, name)
            for role, (count, cpu, interval_us) in self.roles.items():
                self.assertEqual(self.files[f"{role}s"], count)
                for nr, thread in enumerate(self.threads(role)):
                    self.assertEqual(thread["cpu"], (cpu + nr) % g.NR_CPUS)
                    self.assertEqual(thread["interval_us"], interval_us)
            for name in self.grows:
                self.assertEqual(self.files[name], 0, name)
            self.files["run"] = 1
            self.grow(*self.grows)
            for thread in self.threads():
                self.grow("turns", files=thread)
            self.stop()
            self.add_up()
        self.assertTrue(self.all_freed())

    def test_every_way_while_it_runs(self):
        with self.running():
            self.flat_out()
            for way in self.all_ways():
                self.assertEqual({name: self.files[name] for name in way}, way)
                self.grow(*self.grows)
                for thread in self.threads():
                    self.grow("turns", by=2, files=thread)
                self.promises_kept()
            self.stop()
            self.add_up()
        self.assertTrue(self.all_freed())

    def test_unloading_in_the_middle_of_everything(self):
        for values in itertools.product(*self.ways.values()):
            with self.running():
                for name, value in zip(self.ways, values):
                    self.files[name] = value
                self.flat_out()
                self.grow(*self.grows)
                began = time.monotonic()
            self.assertLess(time.monotonic() - began, 10)
            self.assertTrue(self.all_freed())

    def test_everything_changes_at_once(self):
        """Several write at random, to all files, at the same time."""
        wrong, until = [], time.monotonic() + 4
        with self.running():
            choices = {name: values for files in self.files.folders()
                       for name in files.writable() if (values := self.choices(files, name))}

            def write(seed):
                rng = random.Random(seed)
                while time.monotonic() < until:
                    try:
                        files = rng.choice(self.files.folders())
                        if names := files.writable():   # none: a thread that is just going
                            name = rng.choice(names)
                            files[name] = rng.choice(choices.get(name) or self.plausible(name))
                    except OSError as error:
                        # ENOENT, ENODEV: a thread that has gone.
                        if error.errno not in REFUSALS | {errno.ENOENT}:
                            wrong.append(error)

            with concurrent.futures.ThreadPoolExecutor(4) as writers:
                list(writers.map(write, range(4)))
            self.assertEqual(wrong, [])
            self.promises_kept()
            for role in self.roles:
                self.files[f"{role}s"] = 2
            self.files["run"] = 1
            self.flat_out()
            for thread in self.threads():
                self.grow("turns", files=thread)
            self.stop()
        self.assertTrue(self.all_freed())

    @unittest.skipIf(g.NR_CPUS < 2, "needs a CPU that can go")
    def test_a_cpu_goes_and_comes_back(self):
        last = g.NR_CPUS - 1
        with self.running():
            threads = self.threads()
            for thread in threads:
                thread["cpu"] = last
                thread["interval_us"] = 1000
            for _ in range(2):
                g.online(last, False)
                try:
                    for _ in self.all_ways():
                        for thread in threads:
                            self.grow("turns", by=2, files=thread)
                finally:
                    g.online(last, True)
                for thread in threads:
                    name = f"{self.name}_{thread.path.name}"
                    wait_for(lambda name=name: cpu_of(name) == last)
            self.promises_kept()
            self.stop()
            self.add_up()
            g.online(last, False)
            try:
                self.refused(threads[0], "cpu", last, errno.ENODEV, f"cpu {last}: offline")
            finally:
                g.online(last, True)

    def test_bad_values_change_nothing(self):
        with self.running():
            for name, value, error, line in (
                    ("run", 2, errno.ERANGE, "run 2: must be 0 to 1"),
                    ("run", -1, errno.EINVAL, "run: not a number"), *self.bad):
                self.refused(self.files, name, value, error, line)
            for role in self.roles:
                self.refused(self.files, f"{role}s", 65, errno.ERANGE, f"{role}s 65: must be 0 to 64")
            thread = self.threads()[0]
            self.refused(thread, "cpu", 4096, errno.EINVAL, "cpu 4096: there is no such CPU")
            self.refused(thread, "cpu", 1 << 32, errno.EINVAL, "cpu 4294967296: there is no such")
            self.refused(thread, "cpu", -1, errno.EINVAL, "cpu: not a number")
            self.refused(thread, "interval_us", -1, errno.EINVAL, "interval_us: not a number")
            self.refused(thread, "interval_us", 3_600_000_001, errno.ERANGE, "interval_us 3600000001: ")
            self.grow(*self.grows)
            self.stop()
