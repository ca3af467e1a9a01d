# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof irqsoff: where interrupts are off, by time."""

from collections import Counter, defaultdict

from .errors import Failure
from .output import percent, print_json
from .stacks import load

HOW_TO_RECORD = ("record with `perf record -e nmi_timer// -a -g --intr-regs=flags`, "
                 "-e nmi_timer/irqs-off/ or -e nmiprof:nmi_sample")


class Function:
    """One that ran with interrupts off, and who called it."""

    def __init__(self):
        self.samples = 0
        self.time_ns = 0
        self.chains = Counter()


def run(args):
    stacks = load(args.input, args.event)
    if not stacks.knows_irqs:
        raise Failure(f"{args.input} does not say which samples had interrupts off: {HOW_TO_RECORD}")
    functions, everything = defaultdict(Function), sum(stacks.samples.values())
    for stack, samples in stacks.samples.items():
        if not stack.irqs_off:
            continue
        one = functions[stack.frames[-1]]
        one.samples += samples
        one.time_ns += stacks.time_ns[stack]
        one.chains[stack.frames[:-1]] += samples
    ranked = sorted(functions.items(), key=lambda item: (-item[1].samples, item[0]))
    shown = ranked[:args.limit] if args.limit else ranked
    off = sum(one.samples for one in functions.values())
    if args.json:
        print_json(_document(args, stacks, shown, off, everything))
    else:
        _print_table(args, stacks, shown, off, everything)
    return 0


def _print_table(args, stacks, shown, off, everything):
    timed = bool(stacks.time_ns)
    print(f"{'SAMPLES':>8}  {'TIME ms':>10}  {'PERCENT':>7}  FUNCTION")
    for name, one in shown:
        time = f"{one.time_ns / 1e6:.1f}" if timed else "-"
        print(f"{one.samples:>8}  {time:>10}  {percent(100 * one.samples / off):>7}  {name}")
        for chain, samples in one.chains.most_common(args.chains):
            print(f"{'':>29}  {samples:>6}x {' < '.join(reversed(chain))}")
    total = sum(stacks.time_ns[stack] for stack in stacks.samples if stack.irqs_off)
    print()
    print(f"{off} of {everything} samples ({percent(100 * off / everything, 1)} %) had interrupts off"
          + (f", {total / 1e6:.1f} ms of CPU time" if timed else "") + "; PERCENT is of those.")


def _document(args, stacks, shown, off, everything):
    return {
        "schema": "nmiprof irqsoff", "version": 1, "file": args.input, "event": stacks.event,
        "samples": everything, "irqs_off": off,
        "functions": [{
            "name": name, "samples": one.samples,
            "time_ns": one.time_ns if stacks.time_ns else None,
            "chains": [{"samples": samples, "frames": list(chain)}
                       for chain, samples in one.chains.most_common(args.chains)],
        } for name, one in shown],
    }
