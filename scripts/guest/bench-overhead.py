# SPDX-License-Identifier: GPL-2.0-only
"""In the virtual machine: bench-overhead.py ROUNDS. What sampling takes from a syscall-bound
and a CPU-bound load on CPU 1. A sampler is set up, and then switched on for every second
piece of the load, so that each piece with it has one without it right before. Prints
pair LOAD SAMPLER HZ SECONDS_WITHOUT SECONDS_WITH CAME, the last being the share of the
samples due that came (of cpu-clock nobody counts them). The samplers of a round come in an
order of chance."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PIECES = {99: 3, 997: 12, 4999: 3}      # by rate: most where the samplers are compared
SETTINGS = Path("/sys/kernel/nmiprof")
BYTES, TURNS = 100_000, 400_000
CPU = 1
COUNTED = {"profile": "samples", "nmi_timer//": "perf_delivered"}


def syscalls():
    """Seconds for a read() and a write() of each byte."""
    done = subprocess.run(["taskset", "-c", str(CPU), "dd", "if=/dev/zero", "of=/dev/null", "bs=1",
                           f"count={BYTES}"], stderr=subprocess.PIPE, text=True, check=True)
    return float(re.search(r", ([\d.e-]+) s,", done.stderr)[1])


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
    """That have come so far."""
    return int((SETTINGS / "stats" / COUNTED[kind]).read_text()) if kind in COUNTED else 0


@contextlib.contextmanager
def profile(hz):
    """What switches it on and off."""
    SETTINGS.joinpath("rate_hz").write_text(str(hz))
    yield lambda on: SETTINGS.joinpath("enable").write_text(str(int(on)))


@contextlib.contextmanager
def perf(event, hz):
    """The same for an event that perf records. Only when perf has answered has it been done."""
    with tempfile.TemporaryDirectory() as folder:
        fifos = [os.path.join(folder, name) for name in ("control", "answer")]
        for fifo in fifos:
            os.mkfifo(fifo)
        recorder = subprocess.Popen(["perf", "record", "-q", "-a", "-e", event, "-F", str(hz),
                                     "--delay=-1", f"--control=fifo:{','.join(fifos)}",
                                     "-o", f"{folder}/perf.data"])
        try:
            with open(fifos[0], "w") as control, open(fifos[1]) as answer:
                def switch(on):
                    print("enable" if on else "disable", file=control, flush=True)
                    # Each answer comes with its terminating 0.
                    if answer.readline().strip("\0") != "ack\n":
                        raise SystemExit(f"perf record -e {event} does not answer")

                yield switch
        finally:
            recorder.send_signal(signal.SIGINT)
            status = recorder.wait()
        if status not in (0, -signal.SIGINT):
            raise SystemExit(f"perf record -e {event} failed")


def main():
    print("release", os.uname().release)
    # Neither perf nor nmiprof is to slow itself down.
    Path("/proc/sys/kernel/perf_cpu_time_max_percent").write_text("0")
    subprocess.run(["insmod", "nmiprof.ko"], check=True)
    SETTINGS.joinpath("perf_budget_percent").write_text("0")
    samplers = [(kind, hz) for hz in PIECES for kind in ("cpu-clock", *COUNTED)]
    for round_ in range(int(sys.argv[1])):
        random.shuffle(samplers)
        for kind, hz in samplers:
            with profile(hz) if kind == "profile" else perf(kind, hz) as switch:
                for name, load in PIECES[hz] * [("syscalls", syscalls), ("cpu", turns)]:
                    without = load()
                    switch(True)
                    start, before = time.monotonic(), samples(kind)
                    with_ = load()
                    due = (time.monotonic() - start) * hz * os.cpu_count()
                    came = (samples(kind) - before) / due
                    switch(False)
                    print("pair", name, kind.rstrip("/"), hz, f"{without:.6f} {with_:.6f} {came:.3f}",
                          flush=True)
        print(f"# round {round_ + 1}", file=sys.stderr, flush=True)


main()
