#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""All experiments of rcu_demo.ko at once while everything changes; prints KTAP.

Once a second every experiment goes on in another of its ways. Sizes, intervals, numbers
of threads and their CPUs change at random, single experiments stop and start, dumps are
read, CPUs go offline and come back; every 20 s the module is unloaded in the middle of
that and loaded again. Each time it must have freed what it has allocated, and just before
have seen nothing that must not be. Needs rcu_demo.ko and nmiprof.ko.

Exit status: 0 all well, 1 not, 2 wrong usage.
"""

import argparse
import contextlib
import errno
import itertools
import os
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import nmiprof_guest as g
import rcu_demo_guest as demo
from rcu_demo_guest import Files

INTERVALS_US = (0, 100, 1000, 1000, 10_000, 10_000, 100_000)
BACKLOGS = (1, 100, 10_000, 100_000)


class Experiment(NamedTuple):
    """What there is to change in one, and to look at."""

    name: str
    roles: dict                 # how many threads of each, to choose from
    ways: dict = {}             # setting: the ways, and whose turns are made by them
    settings: dict = {}         # file: values
    of_threads: dict = {}       # of a role, file: values
    at_start: dict = {}         # settings that can only be made before it starts
    must_be_0: tuple = ()
    has_objects: bool = True


GRACE_PERIODS = ("synchronize_rcu", "call_rcu", "kfree_rcu")
EXPERIMENTS = (
    Experiment(
        "persons", {"reader": (0, 1, 2, 3), "writer": (1, 2, 3)},
        {"reclaim": (GRACE_PERIODS, "writer"),
         "readers_use": (("rcu", "rwlock", "spinlock"), "reader")},
        {"size": (1, 2, 511, 512, 513, 5000, 20_000), "backlog_max": BACKLOGS},
        {"reader": {"contest": ("money_per_age", "money_per_iq", "iq_minus_age")}}),
    Experiment(
        "pid_table", {"reader": (1, 2, 3), "writer": (1, 2)},
        {"readers_use": (("rcu", "rwlock", "spinlock"), "reader"),
         "writers_put": (("after_grace_period", "at_once"), "writer")},
        {"pids": (1, 64, 4096, 32768), "batch": (1, 100, 1000), "use_us": (0, 0, 10, 100),
         "backlog_max": BACKLOGS},
        must_be_0=("seen_freed", "wrong_pid")),
    Experiment(
        "ip_options", {"sender": (1, 2, 3), "setter": (1, 2)},
        {"senders_use": (("rcu", "refcount"), "sender")},
        {"batch": (1, 100, 1000), "backlog_max": BACKLOGS},
        must_be_0=("torn", "seen_freed")),
    Experiment(
        "typesafe", {"reader": (1, 2, 3), "writer": (1, 2)},
        {"way": (("typesafe", "rcu", "global_lock"), "writer")},
        {"slots": (1, 2, 16, 256)},
        must_be_0=("seen_dead", "torn", "wrong_slot")),
    Experiment(
        "buffer_ways", {"sampler": (1, 2), "writer": (1, 2)},
        {"way": (("lock", "rcu"), "writer")},
        {"nmi_hold_ns": (0, 0, 1000, 20_000)},
        must_be_0=("seen_freed", "seen_freed_by_racy", "unaccounted", "lost_raced",
                   "lost_no_buffer")),
    Experiment(
        "toy_rcu", {"reader": (1, 2, 3), "writer": (1, 2)},
        {"way": (("toy", "synchronize_rcu", "synchronize_rcu_expedited"), "writer")},
        {"section_us": (0, 10, 100, 1000)},
        must_be_0=("seen_freed",)),
    Experiment(
        "read_side", {"conductor": (1,)},
        at_start={"loops": (100, 1000, 5000), "runs": (1, 5), "writer_us": (1, 100, 10_000)},
        has_objects=False),
    Experiment(
        "grace_periods", {"reader": (1, 2, 3), "waiter": (1, 2, 3)},
        {"way": (("synchronize_rcu", "synchronize_rcu_expedited", "call_rcu", "polled"), "waiter")},
        of_threads={"reader": {"hold_us": (0, 0, 100, 10_000, 100_000)}},
        must_be_0=("returned_early", "seen_freed")),
)

CHECKS = {
    "freed": "each unload says that what was allocated is freed",
    "counts": "nothing was seen that must not be, at each unload",
    "files": "loading, unloading and all writes succeed",
    "reports": "the kernel reported nothing",
    "work": "each experiment ran between any load and unload, each way in all",
    "memory": "memory does not grow",
}


def say(text):
    print(f"# {text}", flush=True)


def memory_kib():
    """What the kernel uses itself and cannot take back, and what is available."""
    text = Path("/proc/meminfo").read_text()
    found = dict(re.findall(r"^(\w+): +(\d+)", text, re.M))
    return int(found["SUnreclaim"]) + int(found["VmallocUsed"]), int(found["MemAvailable"])


def shrunk_memory_kib():
    Path("/proc/sys/vm/drop_caches").write_text("3")
    for cache in Path("/sys/kernel/slab").glob("*/shrink"):
        with contextlib.suppress(OSError):      # it may be going
            cache.write_text("1")
    return memory_kib()


def settled_memory_kib():
    """When what kfree_rcu() holds back has been freed."""
    was = shrunk_memory_kib()
    for _ in range(20):
        time.sleep(2)
        now = shrunk_memory_kib()
        if was[0] - now[0] < 64:
            break
        was = now
    return now


def may_grow_kib():
    """Noise; and KASAN holds on to what was freed, up to a part of the memory."""
    kib = 8192
    if " kasan_report" in Path("/proc/kallsyms").read_text():
        kib += int(re.search(r"MemTotal: +(\d+)", Path("/proc/meminfo").read_text())[1]) // 16
    return kib


def kmemleaks():
    """What kmemleak finds, where it is on; an object has to be some seconds old."""
    file = Path("/sys/kernel/debug/kmemleak")
    try:
        for _ in range(2):
            time.sleep(5.5)
            file.write_text("scan")
        return file.read_text()
    except OSError:     # not there, or off
        return ""


GONE = (errno.ENOENT, errno.ENODEV, errno.EIO)      # the last in debugfs


@contextlib.contextmanager
def unless_gone():
    """Module or thread may just be going: their files are not there, or fail."""
    try:
        yield
    except OSError as error:
        if error.errno not in GONE:
            raise


class Work:
    """Turns of all threads, by experiment and role, and by the way they were made in."""

    def __init__(self):
        self.lock = threading.Lock()
        self.turns = {e.name: dict.fromkeys(e.roles, 0) for e in EXPERIMENTS}
        self.by_way = {(e.name, setting, way): 0 for e in EXPERIMENTS
                       for setting, (ways, _) in e.ways.items() for way in ways}
        self.way = {}           # chosen by now
        self.seen = {}          # turns of each thread at the last look
        self.began = {}         # sums when the module was loaded
        self.unloaded()

    def unloaded(self):
        with self.lock:
            self.way.clear()
            self.seen.clear()
            self.began = {name: sum(turns.values()) for name, turns in self.turns.items()}

    def idle(self):
        """Experiments that have done nothing since the module was loaded."""
        return [name for name, turns in self.turns.items()
                if sum(turns.values()) == self.began[name]]

    def look(self):
        with self.lock:
            for experiment in EXPERIMENTS:
                for folder in thread_folders(experiment):
                    with unless_gone():
                        self._count(experiment, folder, Files(experiment.name, folder)["turns"])

    def _count(self, experiment, folder, turns):
        role = folder.rstrip("0123456789")
        before = self.seen.get((experiment.name, folder), 0)
        # Fewer: it was stopped and started.
        done = turns - before if turns >= before else turns
        self.seen[experiment.name, folder] = turns
        self.turns[experiment.name][role] += done
        for setting, (_, counted) in experiment.ways.items():
            way = self.way.get((experiment.name, setting))
            if counted == role and way:
                self.by_way[experiment.name, setting, way] += done


def thread_folders(experiment):
    with unless_gone():
        return [name for name in Files(experiment.name).names()
                if name.rstrip("0123456789") in experiment.roles and name[-1].isdigit()]
    return []


class Everything:
    def __init__(self, args):
        self.args = args
        # Threads that run flat out are not to keep this one from its turn.
        os.nice(-20)
        self.log = g.Log()
        self.wrong = {check: [] for check in CHECKS}
        self.stopping = threading.Event()
        self.work = Work()
        self.did = dict.fromkeys(("reloads", "switches", "changes", "restarts", "dumps",
                                  "offlines", "refused"), 0)
        self.counting = threading.Lock()
        self.workers = []
        self.loads = 0
        self.began = 0
        self.longest_unload = 0

    def complain(self, check, text):
        say(f"{check}: {text}")
        self.wrong[check].append(text)
        self.stopping.set()

    def count(self, what):
        with self.counting:
            self.did[what] += 1

    # What goes on all the time

    def worker(self, step):
        """Calls step(random) until the end; it returns how long to rest."""
        chance = random.Random(f"{self.args.seed} {step.__name__}")

        def work():
            while not self.stopping.is_set():
                rest = 0.1
                try:
                    with unless_gone():
                        rest = step(chance)
                except OSError as error:
                    self.complain("files", f"{step.__name__}: {error}")
                self.stopping.wait(rest)
        self.workers.append(threading.Thread(target=work, name=step.__name__))
        self.workers[-1].start()

    def set(self, path, name, value, may_be=()):
        """False: refused, as it may be."""
        error = Files(*path).set(name, value)
        if error in GONE:
            raise OSError(error, name)
        if error and error not in may_be:
            self.complain("files", f"{'/'.join(path)}/{name} <- {value}: {g.errno_name(error)}")
        elif error:
            self.count("refused")
        return not error

    def switch(self, _):
        """Every setting that is a way goes on to its next value."""
        self.work.look()
        turn = self.did["switches"]
        for experiment in EXPERIMENTS:
            for setting, (ways, _) in experiment.ways.items():
                way = ways[turn % len(ways)]
                if self.set((experiment.name,), setting, way):
                    self.work.way[experiment.name, setting] = way
        self.count("switches")
        return 1

    def change(self, chance):
        experiment = chance.choice(EXPERIMENTS)
        action = chance.choices((self.a_setting, self.a_thread, self.how_many, self.restart,
                                 self.read_dump), (4, 8, 3, 1, 1))[0]
        action(chance, experiment)
        self.count("changes")
        return 0.05

    def a_setting(self, chance, experiment):
        if experiment.settings:
            name = chance.choice(list(experiment.settings))
            self.set((experiment.name,), name, chance.choice(experiment.settings[name]))

    def a_thread(self, chance, experiment):
        folders = thread_folders(experiment)
        if not folders:
            return
        folder = chance.choice(folders)
        files = {"interval_us": INTERVALS_US, "cpu": range(g.NR_CPUS)}
        files |= experiment.of_threads.get(folder.rstrip("0123456789"), {})
        name = chance.choice(list(files))
        # That CPU may be offline.
        self.set((experiment.name, folder), name, chance.choice(files[name]))

    def how_many(self, chance, experiment):
        role = chance.choice(list(experiment.roles))
        self.set((experiment.name,), f"{role}s", chance.choice(experiment.roles[role]))

    def restart(self, chance, experiment):
        files, loads = Files(experiment.name), self.loads
        self.set((experiment.name,), "run", 0)
        if experiment.has_objects:
            allocated, freed = files["allocated"], files["freed"]
            # Who loads the module anew lets it run.
            if allocated != freed and loads == self.loads:
                self.complain("freed", f"{experiment.name} stopped: {allocated} allocated, {freed} freed")
        for name, values in experiment.at_start.items():
            # It may run again already, when the module was loaded meanwhile.
            self.set((experiment.name,), name, chance.choice(values), (errno.EBUSY,))
        self.set((experiment.name,), "run", 1)
        self.count("restarts")

    def read_dump(self, chance, experiment):
        folder = demo.DEBUGFS / experiment.name
        if folder.exists():
            chance.choice(sorted(folder.iterdir())).read_text()
            self.count("dumps")

    def hotplug(self, chance):
        cpu = chance.randrange(1, g.NR_CPUS)
        g.online(cpu, False)
        self.count("offlines")
        self.stopping.wait(chance.uniform(0.1, 2))
        g.online(cpu, True)
        return chance.uniform(0.5, 3)

    # Loading and unloading

    def load(self):
        self.loads += 1
        g.load("rcu_demo", "run=0", "persons=5000")
        for experiment in EXPERIMENTS:
            self.set((experiment.name,), "run", 1)

    def unload(self):
        """In the middle of everything, once each experiment has done something."""
        end = time.monotonic() + 60
        self.work.look()
        while self.work.idle() and time.monotonic() < end:
            time.sleep(0.2)
            self.work.look()
        for name in self.work.idle():
            self.complain("work", f"{name} did nothing since the module was loaded")
        for experiment in EXPERIMENTS:
            for name in experiment.must_be_0:
                if value := Files(experiment.name)[name]:
                    self.complain("counts", f"{experiment.name}/{name} is {value}")
        self.check_log()
        began = time.monotonic()
        self.remove()
        self.longest_unload = max(self.longest_unload, time.monotonic() - began)
        self.work.unloaded()
        self.all_was_freed()

    def remove(self):
        """While a dump is open the kernel refuses."""
        end = time.monotonic() + 60
        while (done := g.run("rmmod", "rcu_demo", check=False)).returncode:
            if "in use" not in done.stderr or time.monotonic() > end:
                raise AssertionError(f"rmmod: {done.stderr}")
            time.sleep(0.1)

    def all_was_freed(self):
        said = "\n".join(self.check_log())
        for experiment in EXPERIMENTS:
            pattern = rf"rcu_demo: {experiment.name}: \d+ objects allocated, as many freed"
            if experiment.has_objects and len(re.findall(pattern, said)) != 1:
                self.complain("freed", f"the log does not say it of {experiment.name}")

    def check_log(self):
        """New lines of ours; reports of the kernel are complained about."""
        lines = self.log.lines()
        reports = [at for at, line in enumerate(lines) if re.search(rf"{g.REPORT}|KASAN|KCSAN", line)]
        if reports:
            time.sleep(1)       # until it is written
            lines += self.log.lines()
            self.complain("reports", "\n".join(lines[reports[0]:][:100]))
        return [line for line in lines if line.startswith("rcu_demo: ")]

    def reload(self):
        self.unload()
        used, available = memory_kib()
        self.count("reloads")
        self.progress(f"{used} KiB used by the kernel, {available} KiB available")
        self.load()

    def progress(self, more):
        d, turns = self.did, self.work.turns
        say(f"{time.monotonic() - self.began:.0f} s: reload {d['reloads']}, {d['switches']} switches, "
            f"{d['changes']} changes, {d['offlines']} CPUs off; "
            f"{sum(sum(roles.values()) for roles in turns.values())} turns; unloading took "
            f"{self.longest_unload:.1f} s at most; {more}")

    # The whole

    def fire(self):
        """Until the time is over or something is wrong."""
        end = self.began + self.args.seconds
        for reload_at in itertools.count(self.began + self.args.reload, self.args.reload):
            while time.monotonic() < min(reload_at, end) and not self.stopping.is_set():
                self.stopping.wait(0.5)
                self.check_log()
            if time.monotonic() >= end or self.stopping.is_set():
                return
            self.reload()

    def run(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.clean_up)
            try:
                self.go_through_it()
            except (AssertionError, OSError) as error:
                self.complain("files", str(error))
        self.check_log()

    def go_through_it(self):
        g.load("nmiprof")
        # What the first time leaves behind for good is no growth.
        self.load()
        self.unload()
        before = settled_memory_kib()
        self.load()
        for step in (self.switch, self.change, self.hotplug):
            self.worker(step)
        self.began = time.monotonic()
        self.fire()
        if self.stopping.is_set():
            return
        self.unload()
        self.end_workers()
        self.judge_work()
        self.judge_memory(before)

    def end_workers(self):
        self.stopping.set()
        for worker in self.workers:
            worker.join()
        for cpu in range(1, g.NR_CPUS):
            g.online(cpu, True)

    def clean_up(self):
        self.end_workers()
        if g.loaded("rcu_demo"):
            self.remove()
        if g.loaded("nmiprof"):
            g.unload("nmiprof")

    def judge_work(self):
        for (name, setting, way), turns in self.work.by_way.items():
            if not turns:
                self.complain("work", f"no turn of {name} with {setting} = {way}")

    def judge_memory(self, before):
        after = settled_memory_kib()
        growth = after[0] - before[0], before[1] - after[1]
        say(f"the kernel uses {growth[0]} KiB more than at first, {growth[1]} KiB fewer are available")
        if max(growth) > may_grow_kib():
            self.complain("memory", f"that is more than {may_grow_kib()}")
        if leaks := kmemleaks():
            self.complain("memory", leaks)

    def table(self):
        for experiment in EXPERIMENTS:
            turns = self.work.turns[experiment.name]
            say(f"{experiment.name:14}" + ", ".join(f"{turns[role]} turns of {role}s" for role in turns))
            for setting, (ways, role) in experiment.ways.items():
                done = ", ".join(f"{way} {self.work.by_way[experiment.name, setting, way]}"
                                 for way in ways)
                say(f"{'':14}of {role}s by {setting}: {done}")
        d = self.did
        say(f"{d['reloads']} reloads, {d['switches']} times all ways switched, {d['changes']} changes, "
            f"{d['restarts']} restarts, {d['dumps']} dumps read, {d['offlines']} CPUs off and on")

    def results(self):
        print(f"KTAP version 1\n1..{len(CHECKS)}")
        for number, (check, text) in enumerate(CHECKS.items(), 1):
            wrong = self.wrong[check]
            for line in wrong[:20]:
                say(line)
            print(f"{'not ok' if wrong else 'ok'} {number} rcu_everything.{check}: {text}", flush=True)
        return 1 if any(self.wrong.values()) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, metavar="N",
                        help="how long (%(default)s)")
    parser.add_argument("--reload", type=int, default=20, metavar="N",
                        help="unload and load so often, s (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="0: random (default)")
    args = parser.parse_args()
    if args.seconds < 1 or args.reload < 1 or args.seed < 0:
        parser.error("seconds and a seed, please")
    if g.NR_CPUS < 2:
        parser.error("needs a CPU that can go")
    args.seed = args.seed or random.randrange(1, 1 << 32)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say(f"seed {args.seed}")
    everything = Everything(args)
    everything.run()
    everything.table()
    return everything.results()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
