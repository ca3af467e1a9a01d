#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""rcu_measure.py PART... - measure rcu_demo.ko; a line for each step as it goes on, and
at the end all figures as JSON in out/PART.json.

  protections  scans/s of one reader without and with a writer flat out, under each lock
  lists        the same in shorter lists, which fit the processor's caches
  ways         updates/s, what waits to be freed and memory, by the way of reclaiming
  sizes        cost of an update in lists of 1000 to a million
  read-side    cost of a read section by what protects it, for 1 to all CPUs
  readers      lookups in the PID table, packets with IP options, reads of type-safe memory:
               how many a second by the way that they are protected, of one thread and of
               one on each CPU, beside writers at their usual pace
  buffer       samples that NMIs lose while the buffer is swapped all the time, by the way
  waits        how long the toy RCU and the kernel's grace periods take, and beside a
               reader that stays for 20 ms
  instructions the same on one CPU, for a machine that counts them (-icount)
  refscale     empty read sections, and the same by the kernel's refscale in turns with them:
               ns of a section, all runs, one reader and one on each CPU; for a kernel that
               has it
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nmiprof_guest as g
import rcu_demo_guest as demo
from rcu_demo_guest import Files, module, wait_for

WAYS = ("synchronize_rcu", "call_rcu", "kfree_rcu")
PROTECTIONS = ("rcu", "rwlock", "spinlock")
OUT = Path("out")
IDLE_US = 3_600_000_000


def say(text):
    print(f"{time.monotonic():7.1f} {text}", flush=True)


def slab_kib():
    return next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                if line.startswith("Slab:"))


def contended(size, names):
    """One reader and one writer on a CPU each, both flat out, in a list of `size`. The host's
    speed changes from second to second: short pieces, each without a writer beside one with
    it, in turns."""
    rounds, piece_s, settle_s = 6, 0.8, 0.05
    found = {name: {"alone": [], "with_writer": [], "updates": []} for name in names}
    with module(f"persons={size}"):
        persons = Files("persons")
        persons["readers"] = 1
        persons["reclaim"] = "kfree_rcu"
        reader, writer = Files("persons", "reader0"), Files("persons", "writer0")
        # Updates scatter a list in memory, and a scan of it takes longer: age it first.
        writer["interval_us"] = 0
        wait_for(lambda: persons["updates_by_kfree_rcu"] > 5 * persons["size"], 60)
        writer["interval_us"] = IDLE_US
        reader["interval_us"] = 0
        writer["cpu"] = os.cpu_count() - 1

        def piece(of, key):
            writer["interval_us"] = 0 if key == "with_writer" else IDLE_US
            time.sleep(settle_s)
            updates = writer["turns"]
            of[key].append(reader.rate("turns", piece_s))
            if key == "with_writer":
                of["updates"].append((writer["turns"] - updates) / piece_s)

        for turn in range(rounds):
            for name in names:
                persons["readers_use"] = name
                for key in ("alone", "with_writer")[::1 if turn % 2 else -1]:
                    piece(found[name], key)
                if turn % 2:
                    last = {key: values[-1] for key, values in found[name].items()}
                    say(f"{name:8} {last['alone']:8.1f} scans/s alone, {last['with_writer']:8.1f} "
                        f"with a writer, which made {last['updates']:8.0f} updates/s")
    return found


def protections():
    return contended(100_000, PROTECTIONS)


def lists():
    found = {}
    for size in (1000, 5000, 20_000):
        say(f"-- a list of {size}")
        found[size] = contended(size, ("rcu", "spinlock"))
    return found


def ways():
    """One writer flat out, the usual readers; samples ten times a second."""
    found = {}
    with module("persons=100000"):
        persons, writer = Files("persons"), Files("persons", "writer0")
        for name in WAYS:
            persons["reclaim"] = name
            time.sleep(0.5)
            writer["interval_us"] = 0
            began, first, slab, samples = time.monotonic(), writer["turns"], slab_kib(), []
            while time.monotonic() < began + 5:
                time.sleep(0.1)
                samples.append((round(time.monotonic() - began, 3), persons["waiting"],
                                slab_kib() - slab))
            updates = (writer["turns"] - first) / (time.monotonic() - began)
            writer["interval_us"] = IDLE_US
            throttled = persons["throttled"]
            wait_for(lambda: slab_kib() - slab < 20_000, 30)
            found[name] = {"updates": updates, "samples": samples, "throttled": throttled,
                           "mean_ns": persons[f"grace_period_mean_ns_of_{name}"],
                           "longest_ns": persons[f"grace_period_longest_ns_of_{name}"]}
            say(f"{name:15} {updates:8.0f} updates/s, at most {max(s[1] for s in samples)} waiting, "
                f"{max(s[2] for s in samples)} KiB more in slabs; grace period "
                f"{found[name]['mean_ns'] / 1e6:.1f} ms, longest {found[name]['longest_ns'] / 1e6:.1f} ms")
        for line in (demo.DEBUGFS / "persons/grace_periods").read_text().splitlines()[1:]:
            name, us, count = line.split()
            found[name].setdefault("histogram", []).append((int(us), int(count)))
    return found


def sizes():
    found = {}
    for size in (1_000, 10_000, 100_000, 1_000_000):
        # Loaded anew for each: the mean is of all updates since.
        with module(f"persons={size}"):
            persons, writer = Files("persons"), Files("persons", "writer0")
            persons["readers"] = 0
            persons["reclaim"] = "kfree_rcu"
            writer["interval_us"] = 0
            wait_for(lambda: writer["turns"] > 20_000, 60)
            found[size] = persons["replacing_mean_ns"]
        say(f"{size:8} persons: an update takes {found[size]} ns")
    return found


def set_all(experiment, role, name, value):
    for entry in Files(experiment).path.glob(f"{role}[0-9]*"):
        Files(experiment, entry.name)[name] = value


READERS = {       # experiment: role, what chooses the way, the ways, what to count
    "pid_table": ("reader", "readers_use", ("rcu", "rwlock", "spinlock"), "lookups"),
    "ip_options": ("sender", "senders_use", ("rcu", "refcount"), "packets"),
    "typesafe": ("reader", "way", ("typesafe", "rcu", "global_lock"), "reads"),
}


def readers():
    found = {}
    with module("run=0"):
        for experiment, (role, knob, choices, counter) in READERS.items():
            files = Files(experiment)
            found[experiment] = {choice: {} for choice in choices}
            for count in (1, os.cpu_count()):
                files[f"{role}s"] = count
                set_all(experiment, role, "interval_us", 0)
                files["run"] = 1
                for choice in choices:
                    files[knob] = choice
                    time.sleep(0.2)
                    found[experiment][choice][count] = files.rate(counter, 1)
                files["run"] = 0
            for choice, rates in found[experiment].items():
                say(f"{experiment}, {choice}: " + ", ".join(
                    f"{rate:.0f} {counter}/s of {count}" for count, rate in rates.items()))
    return found


def buffer():
    found = {}
    with g.module("nmiprof"), module("run=0"):
        files = Files("buffer_ways")
        files["samplers"] = os.cpu_count()
        for role in ("sampler", "writer"):
            set_all("buffer_ways", role, "interval_us", 0)
        files["run"] = 1
        for way in ("lock", "rcu"):
            files["way"] = way
            time.sleep(0.2)
            terms = ("samples", "lost_lock_held", "lost_no_buffer", f"swaps_by_{way}")
            first = [files[term] for term in terms]
            time.sleep(2)
            samples, held, none, swaps = (files[term] - was for term, was in zip(terms, first))
            found[way] = {"samples": samples, "lost": held + none, "swaps": swaps,
                          "swap_mean_ns": files[f"swap_mean_ns_of_{way}"]}
            say(f"{way}: {swaps} swaps of {found[way]['swap_mean_ns'] / 1e6:.3f} ms, {samples} "
                f"samples, {held + none} lost")
    return found


def waits():
    found = {}
    with module("run=0"):
        for experiment, role, ways, hold_us in (
                ("toy_rcu", "writer", ("toy", "synchronize_rcu", "synchronize_rcu_expedited"), 0),
                *(("grace_periods", "waiter", ("synchronize_rcu", "synchronize_rcu_expedited",
                                               "call_rcu", "polled"), us) for us in (0, 20_000))):
            files = Files(experiment)
            name = f"{experiment}, a reader of {hold_us // 1000} ms" if hold_us else experiment
            set_all(experiment, role, "interval_us", 0)
            if experiment == "grace_periods":
                Files(experiment, "reader0")["hold_us"] = hold_us
            files["run"] = 1
            for way in ways:
                files["way"] = way
                time.sleep(1.5)
            of = "wait" if experiment == "toy_rcu" else "grace_period"
            found[name] = {way: [files[f"{of}_{which}_ns_of_{way}"] for which in ("mean", "longest")]
                           for way in ways}
            files["run"] = 0
            for way, (mean, longest) in found[name].items():
                say(f"{name}: {way} {mean / 1e6:.2f} ms, longest {longest / 1e6:.2f} ms")
    return found


def sections(**settings):
    with module("run=0"):
        read_side = Files("read_side")
        for name, value in settings.items():
            read_side[name] = value
        read_side["run"] = 1
        wait_for(lambda: read_side["measured"] > 0)
        while read_side["to_measure"]:
            say(f"{read_side['measured']} runs of read sections, {read_side['to_measure']} to go")
            time.sleep(2)
        text = (demo.DEBUGFS / "read_side/results").read_text()
    names = text.splitlines()[0].split()[1:]
    return [dict(zip(names, line.split())) for line in text.splitlines()[1:]]


def read_side():
    return sections(runs=5, loops=5000)


def instructions():
    return sections(runs=3, loops=1000)


REFSCALE = {"rcu": "rcu", "refcount": "refcnt", "rwlock": "rwlock", "spinlock": "lock",
            "rwsem": "rwsem"}
LOOPS, RUNS = 10_000, 5


def by_refscale(scale_type, readers):
    """ns of a section in each run."""
    log = g.Log()
    subprocess.run(["modprobe", "refscale", f"scale_type={scale_type}", f"nreaders={readers}",
                    f"loops={LOOPS}", f"nruns={RUNS}"], check=True)
    try:
        table = []
        wait_for(lambda: table.extend(log.lines(r"^1\\x09[\d.]+\\x0a")) or table, 120)
    finally:
        subprocess.run(["modprobe", "-r", "refscale"], check=True)
    return [float(ns) for ns in re.findall(r"\\x09([\d.]+)", table[0])]


def refscale():
    found = {}
    for _ in range(3):
        ours = sections(runs=RUNS, loops=LOOPS)
        for readers in sorted({1, os.cpu_count()}):
            for op, scale_type in REFSCALE.items():
                here = found.setdefault(readers, {}).setdefault(op, {"ours": [], "refscale": []})
                here["ours"] += [float(run["ns"]) for run in ours if (
                    run["op"], run["section_ns"], run["readers"], run["writer"])
                    == (op, "0", str(readers), "0")]
                here["refscale"] += by_refscale(scale_type, readers)
                say(f"{op}, {readers} readers: " + ", ".join(
                    f"{name} {sorted(runs)[len(runs) // 2]:.1f} ns" for name, runs in here.items()))
    return found


PARTS = {"protections": protections, "lists": lists, "ways": ways, "sizes": sizes,
         "read-side": read_side, "readers": readers, "buffer": buffer, "waits": waits,
         "instructions": instructions, "refscale": refscale}


def main():
    if len(sys.argv) < 2 or not all(re.fullmatch("|".join(PARTS), part) for part in sys.argv[1:]):
        print(__doc__)
        return 2
    OUT.mkdir(exist_ok=True)
    for part in sys.argv[1:]:
        say(f"== {part}")
        OUT.joinpath(f"{part}.json").write_text(json.dumps(PARTS[part]()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
