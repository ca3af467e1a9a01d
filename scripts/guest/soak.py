#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The part of scripts/soak that runs in the virtual machine.

Fires NMIs while buffers, handlers and CPUs change, and takes the ledger at its
word all the time. The last line on stdout is a JSON object: what was done, and
in "reason" what failed, if anything did.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time

from nmiprof_lib.errors import Failure
from nmiprof_lib.kernel import Kernel
from nmiprof_lib.profile import Profile

GRANULARITIES = (256, 65536, 64, 4096, 1024, 16384, 128, 2048, 512, 8192, 32768)
OFFLINE = (3, 2)            # CPUs that come and go
KINDS = ("binned", "user", "idle", "out_of_range")
SPLAT = re.compile(r"Uhhuh|\bBUG\b|WARNING:|Oops|general protection|unable to handle"
                   r"|detected stalls|self-detected stall|soft lockup|blocked for more than")
SOAK = "/sys/module/nmiprof_soak/parameters"


class Wrong(Exception):
    """The module did what it must not do."""


def read_int(path):
    with open(path) as file:
        return int(file.read())


class Log:
    """The kernel's log since the start, read as it grows."""

    def __init__(self):
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
            if SPLAT.search(line):
                raise Wrong(f"the kernel reported: {line}")


class Soak:
    def __init__(self, args):
        self.args = args
        self.kernel = Kernel()
        self.log = Log()
        self.begun = self.shown = time.monotonic()
        self.did = dict.fromkeys(("nmis", "swaps", "drains", "layouts", "looks", "rounds",
                                  "handler_runs", "hotplugs", "reloads", "checkpoints",
                                  "discarded", "late", "foreign", "samples",
                                  "coalesced", "no_buffer", "lost"), 0)
        self.drained = dict.fromkeys(KINDS, 0)
        self.unnamed = dict.fromkeys(KINDS, 0)  # in buffers that a live change threw away
        self.live_changes = 0                   # since the last checkpoint
        self.loads = []

    # Steps

    def command(self, *words):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Wrong(f"{' '.join(words)}: {done.stderr.strip()}")

    def drain(self):
        dump = Profile()
        dump.add(self.kernel.drain(wait=0))
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

    def soak_counts(self):
        bad = read_int(f"{SOAK}/bad")
        if bad:
            raise Wrong(f"{bad} times a handler ran with data that was freed or not its own")
        self.did["rounds"] = read_int(f"{SOAK}/rounds_done")
        self.did["handler_runs"] = read_int(f"{SOAK}/runs")

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
        with open("/sys/kernel/rcu_expedited", "w") as file:
            file.write(str(turn % 2))
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
            with open(path, "w") as file:
                file.write(value)
        # What ran there was moved elsewhere and would not come back.
        self.unload()
        self.load()
        self.did["hotplugs"] += 1

    def progress(self):
        now = time.monotonic()
        if now - self.shown >= 5:
            self.shown = now
            d = self.did
            print(f"soak: {now - self.begun:.0f} s: {d['nmis']} NMIs, {d['swaps']} swaps, "
                  f"{d['drains']} drains, {d['rounds']} rounds, {d['hotplugs']} hotplugs, "
                  f"{d['reloads']} reloads", file=sys.stderr, flush=True)

    # The whole

    def load(self):
        """Kernel, module and user code on CPU 2; CPU 3 is sampled as it idles."""
        self.command("insmod", "nmiprof_load.ko", "cpus=2", "percent=50", "section_us=500")
        self.loads.append(subprocess.Popen(
            ["taskset", "-c", "2", "sh", "-c",
             "while :; do dd if=/dev/zero of=/dev/null bs=16k count=5000; done"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True))

    def unload(self):
        for process in self.loads:
            os.killpg(process.pid, 9)
            process.wait()
        if self.loads:
            self.command("rmmod", "nmiprof_load")
        self.loads.clear()

    def fire(self):
        args = self.args
        self.command("insmod", "nmiprof.ko", "rate_hz=997", "enable=1")
        self.load()
        self.command("insmod", "nmiprof_soak.ko", "senders=0", "targets=2-3",
                     f"rounds={args.rounds}", "handler_us=20")
        turn = 0
        every = max(1, args.swaps // max(1, args.hotplugs))
        while (self.did["nmis"] < args.nmis or self.did["swaps"] < args.swaps
               or self.did["rounds"] < args.rounds or self.did["hotplugs"] < args.hotplugs):
            if self.did["swaps"] < args.swaps or turn % 20 == 0:
                self.swap(turn)
            else:
                self.drain()
                time.sleep(0.05)
            if turn % every == every - 1 and self.did["hotplugs"] < args.hotplugs:
                self.hotplug(turn)
            self.soak_counts()
            self.ledger()
            self.log.check()
            self.progress()
            turn += 1
        self.soak_counts()
        self.command("rmmod", "nmiprof_soak")
        self.kernel.set("enable", "0")
        self.drain()
        self.checkpoint()
        ledger = self.ledger()
        if ledger.total["outstanding"]:
            raise Wrong(f"{ledger.total['outstanding']} NMIs are outstanding after the end")
        self.command("rmmod", "nmiprof")
        self.unload()
        self.log.check()

    def reload(self):
        """Loaded and unloaded under the fire of its own timers."""
        done = dict(self.did)
        for turn in range(self.args.reloads):
            self.command("insmod", "nmiprof.ko", "enable=1", "rate_hz=20000")
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
            self.fire()
            self.reload()
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
    for name in ("nmis", "swaps", "rounds", "hotplugs", "reloads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return Soak(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
