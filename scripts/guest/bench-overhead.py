# SPDX-License-Identifier: GPL-2.0-only
"""In the virtual machine: bench-overhead.py ROUNDS. What sampling takes from a syscall-bound
and a CPU-bound load on CPU 1. Prints run LOAD SAMPLER HZ SECONDS CAME, the last being the
share of the samples due that came; the samplers of a round come in an order of chance."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

RATES = (99, 997, 4999)
SETTINGS = Path("/sys/kernel/nmiprof")
SYSCALLS, TURNS = 1_500_000, 3_000_000
CPU = 1


def syscalls():
    """Seconds for a number of getppid()."""
    done = subprocess.run(["taskset", "-c", str(CPU), "perf", "bench", "syscall", "basic", "-l",
                           str(SYSCALLS)], stdout=subprocess.PIPE, text=True, check=True)
    return float(re.search(r"Total time:\s*([\d.]+)", done.stdout)[1])


def turns():
    """Seconds for a loop that makes no system call."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPU})
    start = time.monotonic()
    n = 0
    while n < TURNS:
        n += 1
    spent = time.monotonic() - start
    os.sched_setaffinity(0, everywhere)
    return spent


def samples(kind):
    """That have come so far; of cpu-clock nobody counts them."""
    terms = {"profile": "samples", "nmi_timer//": "perf_delivered"}
    return int((SETTINGS / "stats" / terms[kind]).read_text()) if kind in terms else 0


class Sampler:
    def __init__(self, kind, hz):
        self.kind, self.hz = kind, hz

    def __enter__(self):
        if self.kind == "profile":
            SETTINGS.joinpath("rate_hz").write_text(str(self.hz))
            SETTINGS.joinpath("enable").write_text("1")
        elif self.kind != "off":
            self.perf = subprocess.Popen(["perf", "record", "-q", "-a", "-e", self.kind, "-F",
                                          str(self.hz), "-o", "/tmp/perf.data"])
            time.sleep(1)
        time.sleep(0.1)

    def __exit__(self, *_):
        if self.kind == "profile":
            SETTINGS.joinpath("enable").write_text("0")
        elif self.kind != "off":
            self.perf.send_signal(signal.SIGINT)
            if self.perf.wait() not in (0, -signal.SIGINT):
                raise SystemExit(f"perf record -e {self.kind} failed")


def main():
    print("release", os.uname().release)
    # Neither perf nor nmiprof is to slow itself down.
    Path("/proc/sys/kernel/perf_cpu_time_max_percent").write_text("0")
    subprocess.run(["insmod", "nmiprof.ko"], check=True)
    SETTINGS.joinpath("perf_budget_percent").write_text("0")
    samplers = [("off", 0)]
    samplers += [(kind, hz) for hz in RATES for kind in ("cpu-clock", "nmi_timer//", "profile")]
    for round_ in range(int(sys.argv[1])):
        random.shuffle(samplers)
        for kind, hz in samplers:
            with Sampler(kind, hz):
                for name, load in (("syscalls", syscalls), ("cpu", turns)):
                    start, before = time.monotonic(), samples(kind)
                    spent = load()
                    due = (time.monotonic() - start) * hz * os.cpu_count()
                    came = (samples(kind) - before) / due if hz else 0
                    print("run", name, kind.rstrip("/"), hz, f"{spent:.6f} {came:.3f}", flush=True)
        print(f"# round {round_ + 1}", file=sys.stderr, flush=True)


main()
