#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""rcu_measure.py PART... - measure rcu_demo.ko; a line for each step as it goes on, and
at the end all figures as JSON in out/PART.json.

  protections  scans/s of one reader without and with a writer flat out, under each lock
  ways         updates/s, what waits to be freed and memory, by the way of reclaiming
  sizes        cost of an update in lists of 1000 to a million
  read-side    cost of a read section by what protects it, for 1 to all CPUs
  instructions the same on one CPU, for a machine that counts them (-icount)
"""

import json
import os
import re
import sys
import time
from pathlib import Path

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


def protections():
    """One reader and one writer on a CPU each, both flat out. Three rounds, interleaved."""
    found = {name: {"alone": [], "with_writer": [], "updates": []} for name in PROTECTIONS}
    with module("persons=20000"):
        persons = Files("persons")
        persons["readers"] = 1
        persons["reclaim"] = "kfree_rcu"
        reader, writer = Files("persons", "reader0"), Files("persons", "writer0")
        writer["interval_us"] = IDLE_US
        reader["interval_us"] = 0
        writer["cpu"] = os.cpu_count() - 1
        for _ in range(3):
            for name in PROTECTIONS:
                persons["readers_use"] = name
                time.sleep(0.2)
                alone = reader.rate("turns", 1.5)
                writer["interval_us"] = 0
                time.sleep(0.2)
                updates = writer["turns"]
                both = reader.rate("turns", 1.5)
                updates = (writer["turns"] - updates) / 1.5
                writer["interval_us"] = IDLE_US
                for key, value in (("alone", alone), ("with_writer", both), ("updates", updates)):
                    found[name][key].append(value)
                say(f"{name:8} {alone:8.1f} scans/s alone, {both:8.1f} with a writer, "
                    f"which made {updates:8.0f} updates/s")
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


PARTS = {"protections": protections, "ways": ways, "sizes": sizes, "read-side": read_side,
         "instructions": instructions}


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
