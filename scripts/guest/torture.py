#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The part of scripts/torture that runs in the virtual machine.

Lets nmiprof_torture.ko loose while buffers, rates and CPUs change, the module itself
comes and goes, NMIs arrive from outside and some get lost; takes the ledger at its
word all the time. The last line on stdout is a JSON object: what was done, and in
"reason" what failed, if anything did.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

from nmiprof_lib.errors import Failure
from nmiprof_lib.kernel import Kernel
from nmiprof_lib.profile import Profile

GRANULARITIES = (256, 65536, 64, 4096, 1024, 16384, 128, 2048, 512, 8192, 32768)
OFFLINE = (3, 2)            # CPUs that come and go
KINDS = ("binned", "user", "idle", "out_of_range")
UNKNOWN = re.compile(r"Uhhuh")
SPLAT = re.compile(r"!!!|End of test: FAILURE|\bBUG\b(?!: KCSAN)|WARNING:|Oops|general protection|unable to handle"
                   r"|detected stalls|self-detected stall|soft lockup|blocked for more than"
                   r"|KASAN|KCSAN.*\[|UBSAN|ODEBUG|INFO: (?:task|possible|rcu)|suspicious RCU")
TORTURE = "/sys/module/nmiprof_torture/parameters"
PARAMETERS = "/sys/module/nmiprof/parameters"
TRACING = "/sys/kernel/tracing"
NMI_EVENT = f"{TRACING}/events/nmi/nmi_handler"
# The kernel reports ten unknown NMIs in five seconds at most.
FOREIGN, FOREIGN_PAUSE_S = 12, 0.6


class Wrong(Exception):
    """The module did what it must not do."""


def read_int(path):
    with open(path) as file:
        return int(file.read())


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Log:
    """The kernel's log since the start, read as it grows."""

    def __init__(self):
        self.expecting_unknown = False
        self.unknown = 0            # NMIs reported as unknown while they were expected
        self.verdicts = 0           # of nmiprof_torture
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def check(self):
        while True:
            try:
                record = os.read(self.fd, 8192)
            except BlockingIOError:
                return
            except BrokenPipeError:     # overwritten before it was read: goes on behind
                continue
            line = record.decode(errors="replace").split("\n")[0].partition(";")[2]
            if UNKNOWN.search(line) and self.expecting_unknown:
                self.unknown += 1
            elif UNKNOWN.search(line) or SPLAT.search(line):
                raise Wrong(f"the kernel reported: {line}")
            self.verdicts += "End of test: SUCCESS" in line


class Torture:
    def __init__(self, args):
        self.args = args
        self.kernel = Kernel()
        self.log = Log()
        self.begun = self.shown = time.monotonic()
        self.did = dict.fromkeys(("nmis", "swaps", "drains", "layouts", "looks", "updates",
                                  "nmi_looks", "hotplugs", "reloads", "checkpoints",
                                  "discarded", "late", "foreign", "samples",
                                  "coalesced", "no_buffer", "lost", "injected", "unknown",
                                  "late_injected", "rates"), 0)
        self.drained = dict.fromkeys(KINDS, 0)
        self.unnamed = dict.fromkeys(KINDS, 0)  # in buffers that a live change threw away
        self.live_changes = 0                   # since the last checkpoint
        self.loads = []
        self.perf = None
        self.updates_before = self.looks_before = 0
        # Forced delays, lost NMIs: in builds with planted faults.
        self.guarded = args.guarded

    # Steps

    def command(self, *words):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Wrong(f"{' '.join(words)}: {done.stderr.strip()}")

    def drain(self):
        dump = Profile()
        dump.add(self.kernel.drain())
        self.drained["binned"] += sum(count for _, count, _ in dump.ranges())
        for kind in KINDS[1:]:
            self.drained[kind] += getattr(dump, kind)
        if dump.misstated:
            raise Wrong(f"a dump states {dump.misstated:+d} samples more than it holds")
        self.did["drains"] += 1

    def ledger(self):
        """A look at the ledger: every equation, for each CPU and in all."""
        for attempt in range(5):
            try:
                ledger = self.kernel.ledger()
                break
            except Failure:
                if attempt == 4:
                    raise
        broken = [check for check in ledger.checks() if not check["holds"]]
        if broken:
            check = next((check for check in broken if check["cpu"] != "total"), broken[0])
            raise Wrong(f"CPU {check['cpu']}: {check['equation']} does not hold: "
                        f"{check['numbers']}")
        self.did["looks"] += 1
        self.did["nmis"] = ledger.total["handled"]
        for term in ("samples", "coalesced", "no_buffer", "late", "foreign"):
            self.did[term] = ledger.total[term]
        self.did["lost"] = ledger.lost()
        return ledger

    def torture_counts(self):
        if failures := read_int(f"{TORTURE}/failures"):
            raise Wrong(f"nmiprof_torture counts {failures} failures")
        self.did["updates"] = self.updates_before + read_int(f"{TORTURE}/updates")
        self.did["nmi_looks"] = self.looks_before + read_int(f"{TORTURE}/looks")

    def checkpoint(self):
        """Sampling is off and all is drained: what was handed out is what was counted."""
        ledger = self.ledger()
        discarded = int(self.kernel.get("stats/discarded"))
        for kind in KINDS:
            missing = ledger.total[kind] - self.drained[kind]
            if kind == "binned":
                missing -= discarded
            elif self.live_changes and missing > self.unnamed[kind]:
                self.unnamed[kind] = missing    # the module counts discarded bins only
            if missing != self.unnamed[kind]:
                raise Wrong(
                    f"{kind}: the ledger counts {ledger.total[kind]}, the dumps hold "
                    f"{self.drained[kind]}, {discarded if kind == 'binned' else self.unnamed[kind]}"
                    " were discarded by changes of a live buffer: "
                    f"{missing - self.unnamed[kind]:+d} unaccounted for")
        self.live_changes = 0
        self.did["discarded"] = discarded
        self.did["checkpoints"] += 1

    def change(self, turn):
        """A buffer of another size, and every fourth time of another layout."""
        self.kernel.set("granularity", str(GRANULARITIES[turn % len(GRANULARITIES)]))
        self.did["swaps"] += 1
        if turn % 4 == 3:
            self.kernel.set("layout", ("shared", "percpu")[turn // 4 % 2])
            self.did["layouts"] += 1

    def swap(self, turn):
        """Drain and change, in live buffers but for every fifth time. Between two such
        times there are, in turn, live changes and none."""
        # Grace periods of both kinds.
        write("/sys/kernel/rcu_expedited", str(turn % 2))
        if turn % 5 == 4:
            self.kernel.set("enable", "0")
            self.drain()
            self.checkpoint()
            self.change(turn)
            self.kernel.set("enable", "1")
            return
        self.drain()
        if turn // 5 % 4:
            self.live_changes += 1
            self.change(turn)

    def hotplug(self, turn):
        cpu = OFFLINE[turn % len(OFFLINE)]
        path = f"/sys/devices/system/cpu/cpu{cpu}/online"
        for value in "01":
            write(path, value)
        # What ran there was moved elsewhere and would not come back.
        self.unload()
        self.load()
        self.did["hotplugs"] += 1

    def progress(self):
        now = time.monotonic()
        if now - self.shown >= 5:
            self.shown = now
            d = self.did
            print(f"torture: {now - self.begun:.0f} s: {d['nmis']} NMIs, {d['swaps']} swaps, "
                  f"{d['drains']} drains, {d['updates']} updates, {d['hotplugs']} hotplugs, "
                  f"{d['reloads']} reloads", file=sys.stderr, flush=True)

    # The whole

    def user_load(self, cpu):
        self.loads.append(subprocess.Popen(
            ["taskset", "-c", str(cpu), "sh", "-c",
             "while :; do dd if=/dev/zero of=/dev/null bs=16k count=5000; done"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True))

    def load(self):
        """Kernel, module and user code on CPU 2; CPU 3 is sampled as it idles."""
        self.command("insmod", "nmiprof_load.ko", "cpus=2", "percent=50", "section_us=500")
        self.user_load(2)

    def unload(self):
        for process in self.loads:
            os.killpg(process.pid, 9)
            process.wait()
        if self.loads:
            self.command("rmmod", "nmiprof_load")
        self.loads.clear()

    def insert(self, *parameters):
        """Load nmiprof.ko, as this run wants it."""
        extra = [f"fault={self.args.fault}"] if self.args.fault else []
        if self.guarded:
            extra += ["pause_us=30", "pause_every=64"]
        self.command("insmod", "nmiprof.ko", *parameters, *extra)

    def begin(self):
        self.load()
        self.command("insmod", "nmiprof_torture.ko", "senders=0", "targets=2-3",
                     "stutter=3", "stat_interval=10", "stall_cpu=20", "stall_cpu_interval=700")

    def end(self):
        """All stops; what was handed out is what was counted, and nothing is left over."""
        self.torture_counts()
        self.updates_before, self.looks_before = self.did["updates"], self.did["nmi_looks"]
        self.command("rmmod", "nmiprof_torture")
        self.kernel.set("enable", "0")
        self.drain()
        self.checkpoint()
        ledger = self.ledger()
        if ledger.total["outstanding"]:
            raise Wrong(f"{ledger.total['outstanding']} NMIs are outstanding after the end")
        self.command("rmmod", "nmiprof")
        self.unload()
        self.log.check()
        self.log_verdict()

    def log_verdict(self):
        """nmiprof_torture has said that it found nothing."""
        if self.log.verdicts != 1:
            raise Wrong("nmiprof_torture ended without 'End of test: SUCCESS'")

    def fire(self):
        args = self.args
        turn = 0
        every = max(1, args.swaps // max(1, args.hotplugs))
        while (self.did["nmis"] < args.nmis or self.did["swaps"] < args.swaps
               or self.did["updates"] < args.updates or self.did["hotplugs"] < args.hotplugs):
            if self.did["swaps"] < args.swaps or turn % 20 == 0:
                self.swap(turn)
            else:
                self.drain()
                time.sleep(0.05)
            if turn % 7 == 3:
                self.kernel.set("rate_hz", ("997", "4999", "99", "20011")[turn // 7 % 4])
                self.did["rates"] += 1
            if turn % every == every - 1 and self.did["hotplugs"] < args.hotplugs:
                self.hotplug(turn)
            if turn % 50 == 25:
                write(f"{TORTURE}/greedy", "NY"[turn // 50 % 2])
            self.torture_counts()
            self.ledger()
            self.log.check()
            self.progress()
            turn += 1
    def start_perf(self):
        """The kernel's own profiler, beside ours."""
        self.perf = subprocess.Popen(
            ["perf", "record", "-e", "cpu-clock", "-F", "99", "-a", "-g", "-o", "/tmp/perf.data",
             "--max-size=16M"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(2)

    def stop_perf(self):
        if self.perf:
            self.perf.send_signal(signal.SIGINT)
            self.perf.wait()

    def foreign(self):
        """NMIs from outside. Each is reported by the kernel, or counted as one that was
        taken for a late one of ours; one that merges with one of ours on its way into
        the CPU is neither, hence a low rate. Tracing starts and stops while no NMI arrives:
        it changes the kernel's code, and QEMU lets an NMI see half of that."""
        traced = os.path.exists(NMI_EVENT)
        if traced:      # no handler may ever claim more than one event
            # Or each start and stop patches the scheduler, too, for the tasks' names; a
            # CPU of QEMU's has been seen to spin on the breakpoint that is put there.
            write(f"{TRACING}/options/record-cmd", "0")
            write(f"{NMI_EVENT}/filter", "handled>1")
            write(f"{NMI_EVENT}/enable", "1")
        self.kernel.set("enable", "1")
        late_before = self.ledger().total["late"]
        self.log.check()
        self.log.expecting_unknown = True
        print(f"# send {FOREIGN} NMIs every {FOREIGN_PAUSE_S} s", flush=True)
        time.sleep(FOREIGN * FOREIGN_PAUSE_S + 4)
        self.log.check()
        self.log.expecting_unknown = False
        self.kernel.set("enable", "0")
        if traced:
            write(f"{NMI_EVENT}/enable", "0")
            with open(f"{TRACING}/trace") as trace:
                many = [line for line in trace if "handled" in line]
            if many:
                raise Wrong(f"a handler claimed more than one event: {many[0].strip()}")
        late = self.ledger().total["late"] - late_before
        unknown, self.log.unknown = self.log.unknown, 0
        self.did["injected"] += FOREIGN
        self.did["unknown"] += unknown
        self.did["late_injected"] += late
        merged = FOREIGN - unknown - late
        if unknown > FOREIGN or unknown < FOREIGN // 2:
            raise Wrong(f"of {FOREIGN} NMIs from outside {unknown} were reported as unknown and "
                        f"{late} counted as late: {merged} are missing")

    def contend(self):
        """For a while, all CPUs count into a few bins that they share."""
        self.live_changes += 1
        for name, value in (("layout", "shared"), ("granularity", "65536")):
            self.kernel.set(name, value)
        self.user_load(3)
        time.sleep(4)
        load = self.loads.pop()
        os.killpg(load.pid, 9)
        load.wait()
        self.kernel.set("enable", "0")
        self.drain()
        self.checkpoint()
        for name, value in (("layout", "percpu"), ("granularity", "0"), ("enable", "1")):
            self.kernel.set(name, value)

    def lose(self):
        """NMIs that get lost on their way cost their CPU a second, not more."""
        write(f"{PARAMETERS}/lose_every", "3000")
        time.sleep(2)
        write("/sys/devices/system/cpu/cpu3/online", "0")
        write("/sys/devices/system/cpu/cpu3/online", "1")
        write(f"{PARAMETERS}/lose_every", "0")
        time.sleep(2.5)
        before = self.ledger()
        time.sleep(1)
        after = self.ledger()
        for cpu in after.cpus:
            if after.cpus[cpu]["due"] > before.cpus[cpu]["due"] + 50 \
                    and after.cpus[cpu]["handled"] == before.cpus[cpu]["handled"]:
                raise Wrong(f"CPU {cpu} is not sampled any more: its flag is stuck")

    def reload(self):
        """Loaded and unloaded under the fire of its own timers."""
        done = dict(self.did)
        for turn in range(self.args.reloads):
            self.insert("enable=1", "rate_hz=20000")
            time.sleep(0.1)
            if turn % 2:
                self.ledger()
            self.command("rmmod", "nmiprof")
            self.did.update(done, reloads=turn + 1)
            self.log.check()
            self.progress()

    def run(self):
        reason = None
        try:
            self.reload()
            self.insert("rate_hz=97")
            if self.args.foreign:
                self.foreign()
            if self.args.perf:
                self.start_perf()
            self.kernel.set("rate_hz", "997")
            self.kernel.set("enable", "1")
            self.begin()
            self.contend()
            if self.guarded:
                self.lose()
            self.fire()
            self.end()
            self.stop_perf()
            time.sleep(0.2)     # what comes late, comes now
            self.log.check()
        except Wrong as wrong:
            reason = str(wrong)
        except (Failure, OSError) as error:
            reason = f"unexpected: {error}"
        if reason:
            with contextlib.suppress(OSError), open("/sys/kernel/debug/nmiprof/ledger") as file:
                sys.stderr.write(file.read())
        with open("/proc/uptime") as file:
            uptime = float(file.read().split()[0])
        print(json.dumps(dict(self.did, reason=reason, uptime=uptime,
                              discarded_other={k: v for k, v in self.unnamed.items() if v},
                              seconds=round(time.monotonic() - self.begun, 1),
                              release=os.uname().release)))
        return 1 if reason else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("nmis", "swaps", "updates", "hotplugs", "reloads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--foreign", action="store_true",
                        help="have NMIs sent from outside (a line on stdout asks for them)")
    parser.add_argument("--perf", action="store_true", help="perf records meanwhile")
    parser.add_argument("--guarded", action="store_true", help="the build is one with FAULTS=1")
    parser.add_argument("--fault", help="planted fault; implies --guarded")
    args = parser.parse_args()
    args.guarded = args.guarded or bool(args.fault)
    return Torture(args).run()


if __name__ == "__main__":
    sys.exit(main())
