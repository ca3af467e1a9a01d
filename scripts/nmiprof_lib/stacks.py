# SPDX-License-Identifier: GPL-2.0-only
"""Call stacks with their weight, from perf's data or from folded text.

Folded text, as flamegraph.pl and many others read it, is a line for each stack:
`outermost;...;innermost COUNT`. A last frame `[irqs off]` says that interrupts were
off, as `nmiprof report --folded` writes it.
"""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass

from .errors import Failure

IRQS_OFF = "[irqs off]"
PERF_MAGIC = (b"PERFILE2", b"2ELIFREP")
FLAG_IF = 0x200
OUR_EVENTS = re.compile(r"nmi_timer|nmi_sample")


@dataclass(frozen=True)
class Stack:
    frames: tuple           # outermost first
    irqs_off: bool


@dataclass
class Stacks:
    """Stack -> samples, and -> nanoseconds where the source says what a sample stands for."""
    samples: Counter
    time_ns: Counter
    event: str              # what was sampled, for a title; "" in folded text
    knows_irqs: bool        # does the source say which samples had interrupts off?


def load(name, event=None):
    """From perf.data or folded text, whichever NAME holds."""
    try:
        with open(name, "rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise Failure(f"cannot read {name}: {error.strerror}") from None
    if magic in PERF_MAGIC:
        return from_perf(name, event)
    if event:
        raise Failure(f"{name}: not a file of perf record, so it has no events to choose from")
    with open(name, encoding="utf-8", errors="replace") as file:
        return from_folded(name, file)


def from_folded(name, lines):
    samples = Counter()
    knows_irqs = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = re.fullmatch(r"(\S.*?)\s+(\d+)\s*", line)
        if not match:
            raise Failure(f"{name}:{number}: not perf's data, and no folded stack "
                          "('frame;frame COUNT')")
        frames = match[1].split(";")
        irqs_off = frames[-1] == IRQS_OFF and len(frames) > 1
        knows_irqs |= irqs_off
        samples[Stack(tuple(frames[:-1] if irqs_off else frames), irqs_off)] += int(match[2])
    return Stacks(samples, Counter(), "", knows_irqs)


def _perf(*arguments):
    try:
        done = subprocess.run(["perf", *arguments], stdin=subprocess.DEVNULL, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise Failure("perf is not installed (Debian: linux-perf)") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["failed"]
        raise Failure(f"perf {arguments[0]}: {said[-1]}")
    return done.stdout


def _choose_event(name, wanted):
    """(event, its line of `perf evlist -v`)"""
    events = dict(line.split(": ", 1) for line in _perf("evlist", "-v", "-i", name).splitlines()
                  if ": " in line and not line.startswith(("#", "dummy")))
    if not events:
        raise Failure(f"{name}: no events")
    if wanted:
        if wanted not in events:
            raise Failure(f"{name}: no event {wanted}, but {', '.join(events)}")
        return wanted, events[wanted]
    ours = [event for event in events if OUR_EVENTS.search(event)]
    event = (ours or list(events))[0]
    return event, events[event]


HEAD = re.compile(r"(?P<comm>.*?)\s+(?P<pid>-?\d+)/(?P<tid>-?\d+)\s+[\d.]+:\s+(?P<period>\d+)\s+"
                  r"(?P<event>\S+?):(?P<rest>\s.*|)$")
FRAME = re.compile(r"\s+[0-9a-f]+ (?P<symbol>.*) \((?P<dso>[^()]*)\)$")
REGISTERS = re.compile(r" ?ABI:\d+.*\bFLAGS:0x(?P<flags>[0-9a-f]+)")


def from_perf(name, wanted=None):
    event, facts = _choose_event(name, wanted)
    registers = re.search(r"sample_regs_intr: 0x([0-9a-f]+)", facts)
    has_flags = bool(registers) and int(registers[1], 16) & 0x200 != 0
    traced = "nmi_sample" in event
    always_off = "irqs-off" in event or "irqs_off" in event
    fields = "comm,pid,tid,time,period,event,ip,sym,dso"
    fields += ",iregs" if has_flags else ""
    fields += ",trace" if traced else ""
    stacks = Stacks(Counter(), Counter(), event, has_flags or traced or always_off)
    lines = _perf("script", "-i", name, "-F", fields).splitlines()
    sample = None
    for line in lines + [""]:
        if head := HEAD.match(line):
            _end(stacks, sample, traced)
            sample = {"comm": head["comm"].strip(), "period": int(head["period"]), "frames": [],
                      "off": always_off} if head["event"] == event else None
            rest = head["rest"]
            if sample is None:
                continue
            if traced:
                sample["off"] = "irqs_off=1" in rest
            elif frame := FRAME.match(rest.partition(" ABI:")[0].rstrip()):
                sample["frames"].append(_frame(frame))
            line = rest
        elif sample is not None and (frame := FRAME.match(line)):
            sample["frames"].append(_frame(frame))
        if sample is not None and (flags := REGISTERS.search(line)):
            sample["off"] = not int(flags["flags"], 16) & FLAG_IF
    _end(stacks, sample, traced)
    if not stacks.samples:
        raise Failure(f"{name}: no samples of {event}")
    return stacks


def _frame(match):
    symbol = match["symbol"]
    if symbol == "[unknown]":
        symbol = f"[{match['dso'].rsplit('/', 1)[-1].strip('[]')}]"
    return symbol.replace(";", ":")


def _end(stacks, sample, traced):
    if not sample or not sample["frames"]:
        return
    stack = Stack((sample["comm"], *reversed(sample["frames"])), sample["off"])
    stacks.samples[stack] += 1
    if not traced:      # a tracepoint's period is a count
        stacks.time_ns[stack] += sample["period"]
