# SPDX-License-Identifier: GPL-2.0-only
"""Run things in virtual machines and here, and watch what else this machine does."""

import os
import re
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = "kunit_tests/modules"
CPU_TICK = os.sysconf("SC_CLK_TCK")
QUIET_PERCENT = 8           # of the host's CPU time, for other programs


class Failure(Exception):
    """Something could not be measured."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# The machine that all this runs on


def ticks():
    """(busy, all) CPU time of the host since boot, s; what a hypervisor stole is busy."""
    with open("/proc/stat") as file:
        values = [int(value) for value in file.readline().split()[1:9]]
    return (sum(values) - values[3] - values[4]) / CPU_TICK, sum(values) / CPU_TICK


def own_time():
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


class Others:
    """The share of the host's CPU time that other programs took, in percent."""

    def __enter__(self):
        self.busy, self.all = ticks()
        self.own = own_time()
        return self

    def __exit__(self, *_):
        busy, whole = ticks()
        others = busy - self.busy - (own_time() - self.own)
        self.percent = max(0.0, 100 * others / max(whole - self.all, 0.01))


def wait_until_quiet(limit):
    """Other load makes times worse: wait for its end, but not for ever."""
    end = time.monotonic() + limit
    told = False
    while True:
        with Others() as others:
            time.sleep(2)
        if others.percent < QUIET_PERCENT:
            return
        if time.monotonic() >= end:
            say(f"other programs take {others.percent:.0f} % of this machine: going on")
            return
        if not told:
            say(f"other programs take {others.percent:.0f} % of this machine: waiting up to "
                f"{limit:.0f} s")
            told = True


def quietly(args, measure):
    """Measure while the machine has little else to do: again if it had, and then the
    run that was disturbed least counts, whatever its figures. (result, what to say)."""
    runs = []
    while True:
        wait_until_quiet(args.wait)
        with Others() as others:
            found = measure()
        runs.append((others.percent, len(runs), found))
        if others.percent <= QUIET_PERCENT or len(runs) >= args.tries:
            break
        say(f"other programs took {others.percent:.0f} % of this machine: once more")
    percent, _, found = min(runs, key=lambda run: run[:2])
    of = f" (the least of {len(runs)} runs)" if len(runs) > 1 else ""
    return found, f"other programs took {percent:.0f} % of the host's CPU time{of}"


def first_line(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, cwd=ROOT, text=True)
    return done.stdout.split("\n")[0].strip()


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    commit = first_line("git", "rev-parse", "--short", "HEAD")
    if commit and first_line("git", "status", "--porcelain", "--", "cxx_core", "shims", "module",
                             "kunit_tests", "Kbuild"):
        commit += " and changes"
    return (f"{first_line('qemu-system-x86_64', '--version').partition(' (')[0]}, "
            f"host {os.cpu_count()} CPUs ({model[1] if model else 'unknown'}), "
            f"source {commit or 'unknown'}")


# Running things


def run(command, shown=None, errors=None):
    """Run a command in the repository; its output. Its errors go where `errors` says."""
    say(shown or shlex.join(command))
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                               errors="replace", stdout=subprocess.PIPE, stderr=errors)
    try:
        output = process.stdout.read()
        status = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if status:
        sys.stderr.write(output)
        raise Failure(f"{shlex.join(command)}: exit status {status}")
    return output


def build(kernel):
    say(f"building for {kernel}")
    done = subprocess.run(["make", "--no-print-directory", f"KERNEL={kernel}", "TESTS=1"], cwd=ROOT,
                          stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise Failure(f"make KERNEL={kernel} TESTS=1 failed")


def guest(kernel, script, arguments="", modules=(), smp=None, icount=False, get=None, timeout=300,
          beside=()):
    """Run scripts/guest/SCRIPT in a virtual machine: (output, the command to show).
    `beside`: other files of scripts/guest that it needs."""
    command = ["scripts/vm", "--quiet"]
    if icount:
        command.append("--icount")
    if smp:
        command += ["--smp", str(smp)]
    for module in ("nmiprof.ko", *(f"{name}.ko" for name in modules)):
        command += ["--put", f"build/{kernel}/{module}"]
    for file in (script, *beside):
        command += ["--put", f"scripts/guest/{file}"]
    command += ["--timeout", str(timeout)]
    interpreter = "/usr/bin/python3" if script.endswith(".py") else "bash"
    end = ["--exec", f"{interpreter} {script} {arguments}".strip(), kernel]
    if not get:
        return run(command + end), shlex.join(command + end)
    shown = shlex.join([*command, "--get", "out:out", *end])
    return run([*command, "--get", f"out:{get}", *end], shown), shown


def words(output):
    """NAME VALUE... lines: {name: [value of each line]}, values as text."""
    result = {}
    for line in output.splitlines():
        name, _, value = line.partition(" ")
        result.setdefault(name, []).append(value)
    return result
