#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Random reads and writes over every file of the module while NMIs arrive; KTAP.

Loads nmiprof and nmiprof_load, if they are not loaded, samples all CPUs, and has
file_ops (kunit_tests/fuzz) write what is valid, nearly valid, garbage and huge, read in
parts and at odd places, seek and map, from several threads, files opened and closed all
the time. Settings are put back to sampling at the rate twice a second, as a random write
may have stopped it. Afterwards the settings can be restored, the ledger adds up, samples
handed out agree with it, the kernel has reported nothing and no unknown NMI came.

Exit status: 0 all well, 1 not, 2 wrong usage.
"""

import argparse
import contextlib
import random
import re
import subprocess
import sys
import threading
import time

import nmiprof_guest as g

PROGRAM = g.HERE / "file_ops"


def say(text):
    print(f"# {text}", flush=True)


class Reports(threading.Thread):
    """Reads the kernel's log as it grows: file_ops makes it refuse a lot."""

    def __init__(self):
        super().__init__(daemon=True)
        self.log, self.found, self.ended = g.Log(), [], threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            self.look()

    def look(self):
        with contextlib.suppress(BrokenPipeError):  # overwritten before it was read
            self.found += self.log.lines(g.REPORT)

    def end(self):
        self.ended.set()
        self.join()
        self.look()
        return self.found


def keep_sampling(child, wanted):
    """Until file_ops ends; what it has been seen to do, as text."""
    unsampled = looks = 0
    while True:
        try:
            child.wait(0.5)
            return f"sampling was off at {unsampled} of {looks} looks"
        except subprocess.TimeoutExpired:
            looks += 1
            unsampled += g.read("enable") != "1"
            for name, value in wanted.items():
                # Another writer may be in between: that is no failure.
                g.write(name, value)


def restore(before):
    """The settings as they were; what could not be restored."""
    for name in ("enable", "cpus", "layout", "granularity", "rate_hz", "enable"):
        g.write(name, "0" if name == "enable" else before[name])
    if before["enable"] == "1":
        g.write("enable", "1")
    now = g.settings()
    return [f"{name} is {now[name]}, was {value}" for name, value in before.items()
            if now[name] != value]


def still_counts():
    """What a drain hands out, what the ledger says and what was discarded agree."""
    g.write("enable", "0")
    g.Dump("drain")
    before, discarded = g.ledger()["total"], int(g.read("stats/discarded"))
    wrong = [f"enable: errno {err}" for err in [g.write("enable", "1")] if err]
    time.sleep(1)
    g.write("enable", "0")
    table = g.ledger()
    after, dump = table["total"], g.Dump("drain")
    counted = {term: after[term] - before[term] for term in ("samples", "binned", "user", "idle",
                                                             "handled", "no_buffer")}
    wrong += g.imbalances(table)
    if counted["samples"] < 100:
        wrong.append(f"hardly any samples afterwards: {counted}")
    if dump["samples"] != counted["samples"] - counted["no_buffer"] or dump.binned != counted["binned"] \
            or int(g.read("stats/discarded")) != discarded:
        wrong.append(f"the dump holds {dump['samples']} and {dump.binned}, the ledger has {counted}")
    if after["outstanding"]:
        wrong.append(f"{after['outstanding']} NMIs outstanding while off")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, metavar="N",
                        help="operations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="0: random (default)")
    parser.add_argument("--threads", type=int, default=4, metavar="N",
                        help="that write and read (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=10_000, metavar="HZ",
                        help="samples per second and CPU (default: %(default)s)")
    args = parser.parse_args()
    if args.count < 1 or args.seed < 0 or not 1 <= args.threads <= 64:
        parser.error("a count, a seed and 1 to 64 threads, please")
    if not PROGRAM.exists():
        print(f"fuzz_files: {PROGRAM} is not there: make -C kunit_tests/fuzz file_ops",
              file=sys.stderr)
        return 2
    seed = args.seed or random.randrange(1, 1 << 32)

    say(f"seed {seed}")
    wrong, counts = [], ""
    with contextlib.ExitStack() as stack:
        if not g.loaded():
            stack.enter_context(g.module())
        if not g.loaded("nmiprof_load") and (g.HERE / "nmiprof_load.ko").exists():
            stack.enter_context(g.module("nmiprof_load"))
        before = g.settings()
        # Sampling all the time, and a granularity that is cheap to go through.
        wanted = {"cpus": "all", "granularity": "256", "rate_hz": str(args.rate), "enable": "1"}
        for name, value in wanted.items():
            if err := g.write(name, value):
                wrong.append(f"{name} <- {value}: {g.errno_name(err)}")
        reports = Reports()
        reports.start()
        handled = g.ledger()["total"]["handled"]
        began = time.monotonic()
        with subprocess.Popen([PROGRAM, str(args.count), str(seed), str(args.threads),
                               g.SYSFS, g.DEBUGFS], stdout=subprocess.PIPE, text=True) as child:
            lines = []
            reader = threading.Thread(target=lambda: lines.extend(
                print(line, end="", flush=True) or line for line in child.stdout))
            reader.start()
            sampling = keep_sampling(child, wanted)
            reader.join()
        seconds = time.monotonic() - began
        if child.returncode:
            wrong.append(f"file_ops: status {child.returncode}")
        counts = next((line.strip() for line in lines if line.startswith("counts")), "")
        if not re.search(r"write [1-9].*taken [1-9]", counts):
            wrong.append(f"nothing was written: {counts}")
        table = g.ledger()
        handled = table["total"]["handled"] - handled
        say(f"{sampling}; {handled} NMIs in {seconds:.0f} s")
        if handled < args.count // 1000:
            wrong.append(f"{handled} NMIs only")
        wrong += g.imbalances(table)
        wrong += restore(before)
        wrong += still_counts()
        wrong += restore(before)
        wrong += [f"the kernel reported: {line}" for line in reports.end()]
    for text in wrong:
        say(text)
    print("KTAP version 1\n1..1")
    print(f"{'not ok' if wrong else 'ok'} 1 fuzz_files {args.count} operations, seed {seed}, "
          f"{args.count / seconds:.0f}/s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
