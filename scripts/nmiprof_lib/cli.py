# SPDX-License-Identifier: GPL-2.0-only
"""The command line."""

import argparse
import importlib
import os
import re
import sys

from . import VERSION
from .errors import Failure
from .kernel import describe

EXIT = """exit status: 0 success, 1 failure, 2 wrong usage; record with a COMMAND:
that of COMMAND. See nmiprof(1)."""


class Parser(argparse.ArgumentParser):
    """Errors in one line, no abbreviated options."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message):
        self.exit(2, f"nmiprof: {message} (see `{self.prog} --help`)\n")


def _number(kind, least, most, text, what):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not {what}")
    return value


def hertz(text):
    return _number(int, 1, 100000, text, "a rate from 1 to 100000 Hz")


def count(text):
    return _number(int, 1, 10 ** 9, text, "a whole number from 1 on")


def seconds(text):
    return _number(float, 0.001, 1e8, text, "a number of seconds from 0.001 on")


def seconds_or_0(text):
    return 0.0 if text == "0" else _number(float, 0.1, 1e8, text, "0 or a number of seconds from 0.1 on")


def percentage(text):
    return _number(float, 0, 100, text, "a percentage from 0 to 100")


def bin_size(text):
    value = _number(int, 0, 1 << 30, text, "0 or a power of two")
    if value & (value - 1):
        raise argparse.ArgumentTypeError(f"'{text}' is not 0 or a power of two")
    return value


def cpulist(text):
    if text != "all":
        for part in text.split(","):
            match = re.fullmatch(r"(\d+)(?:-(\d+))?", part, re.ASCII)
            if not match or match[2] and int(match[2]) < int(match[1]):
                raise argparse.ArgumentTypeError(f"'{text}' is not 'all' or a list such as 0-3,6")
    return text


def _add_source(parser):
    parser.add_argument("-F", "--freq", metavar="HZ", type=hertz,
                        help="samples per second on each CPU, 1 to 100000 (default: as the module is set)")
    parser.add_argument("-C", "--cpus", metavar="CPULIST", type=cpulist,
                        help="CPUs to sample: 'all' or a list such as 0-3,6 (default: as the module is set)")
    parser.add_argument("--force", action="store_true",
                        help="go on although the module is enabled already; what it had counted is lost")


def _add_stacks(parser):
    parser.add_argument("-i", "--input", metavar="FILE", default="perf.data",
                        help="perf's data, or folded stacks (default: perf.data)")
    parser.add_argument("-e", "--event", metavar="EVENT",
                        help="of perf's data: one of its events (default: the first of nmiprof's, else the first)")


def build():
    """The parser and its parsers of verbs."""
    parser = Parser(prog="nmiprof", epilog=EXIT,
                    description="Profile the kernel by NMIs, without a PMU, interrupts-off code included.")
    parser.add_argument("--version", action="version", version=f"nmiprof {VERSION}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    record = verbs.add_parser(
        "record", help="sample into a file", epilog=EXIT,
        usage="nmiprof record [options] [-d SECONDS | [--] COMMAND [ARG ...]]",
        description="Sample while COMMAND runs, for SECONDS, or until Ctrl-C, and write FILE.")
    _add_source(record)
    record.add_argument("-o", "--output", metavar="FILE", default="nmiprof.data",
                        help="the file to write (default: nmiprof.data)")
    record.add_argument("-d", "--duration", metavar="SECONDS", type=seconds, help="end after SECONDS")
    record.add_argument("--granularity", metavar="BYTES", type=bin_size,
                        help="bytes per bin, a power of two, 0 for automatic (default: as the module is set)")
    record.add_argument("--layout", choices=("percpu", "shared"),
                        help="one set of bins per CPU or one for all (default: as the module is set)")
    record.add_argument("--interval", metavar="SECONDS", type=seconds_or_0, default=10.0,
                        help="time between drains, 0 to drain at the end only (default: 10)")
    record.add_argument("-q", "--quiet", action="store_true",
                        help="no progress and no summary; warnings and errors remain")
    record.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER,
                        help="the program to run, with its arguments")

    report = verbs.add_parser(
        "report", help="show what a file holds", epilog=EXIT,
        description="Show the functions of a recording by samples. Percent are of all samples,\n"
                    "user and idle included. Needs neither root nor the module.")
    report.add_argument("-i", "--input", metavar="FILE", default="nmiprof.data",
                        help="the file to read (default: nmiprof.data)")
    form = report.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--folded", action="store_true",
                      help="print folded stacks, for flamegraph.pl, inferno or speedscope")
    report.add_argument("--sort", choices=("samples", "irqs-off"), default="samples",
                        help="by samples, or by samples with interrupts off (default: samples)")
    report.add_argument("-n", "--limit", metavar="N", type=count, help="show the first N lines only")
    report.add_argument("--by-module", action="store_true", help="a line per module, not per function")
    report.add_argument("--min-percent", metavar="P", type=percentage, default=0.0,
                        help="leave out lines below P percent")

    top = verbs.add_parser(
        "top", help="show a live table", epilog=EXIT,
        description="Show the functions of the last moments, again and again. q or Ctrl-C ends.")
    _add_source(top)
    top.add_argument("-d", "--delay", metavar="SECONDS", type=seconds, default=2.0,
                     help="time between two tables (default: 2)")
    top.add_argument("-n", "--iterations", metavar="N", type=count, help="end after N tables")
    top.add_argument("--limit", metavar="N", type=count,
                     help="lines per table (default: what fits the window, else 20)")

    status = verbs.add_parser(
        "status", help="show settings and ledger", epilog=EXIT,
        description="Show the module's settings and its ledger, and check that the ledger adds up.\n"
                    "Exit status 1 when it does not.")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.add_argument("--cpu", action="store_true", help="print the ledger of each CPU, too")

    flamegraph = verbs.add_parser(
        "flamegraph", help="draw call stacks", epilog=EXIT,
        description="Draw a flame graph of a file that perf record wrote, or of folded stacks, as one\n"
                    "SVG file to open in a browser: click to zoom, Ctrl-F to search. Frames whose\n"
                    "samples all had interrupts off have a colour of their own.")
    _add_stacks(flamegraph)
    flamegraph.add_argument("-o", "--output", metavar="FILE", default="flamegraph.svg",
                            help="the file to write, - for standard output (default: flamegraph.svg)")
    flamegraph.add_argument("--title", metavar="TEXT", help="default: the event and the file")

    irqsoff = verbs.add_parser(
        "irqsoff", help="show where interrupts are off", epilog=EXIT,
        description="Show functions and their callers by the time that they ran with interrupts off.\n"
                    "The file must say which samples those are: record with\n"
                    "  perf record -e nmi_timer// -a -g --intr-regs=flags")
    _add_stacks(irqsoff)
    irqsoff.add_argument("--json", action="store_true", help="print JSON")
    irqsoff.add_argument("-n", "--limit", metavar="N", type=count, help="show the first N functions only")
    irqsoff.add_argument("--chains", metavar="N", type=count, default=3,
                         help="call chains of each function (default: 3)")
    return parser, verbs.choices


def parse(argv):
    parser, verbs = build()
    args = parser.parse_args(argv)
    if args.verb == "record":
        if args.command and args.command[0] == "--":
            del args.command[0]
        if args.command and args.duration:
            verbs["record"].error("-d and COMMAND exclude each other")
    return args


def main(argv=None):
    # Names may hold what the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            args = parse(sys.argv[1:] if argv is None else argv)
        except SystemExit as end:       # --help, --version, wrong usage
            code = end.code or 0
        else:
            code = importlib.import_module(f".{args.verb}", __package__).run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except Failure as failure:
        print(f"nmiprof: {failure}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _silence_stdout()           # `| head` has seen enough
        return 0
    except OSError as error:
        _silence_stdout()
        print(f"nmiprof: {describe(error)}", file=sys.stderr)
        return 1


def _silence_stdout():
    """Nothing more can be written: spare the interpreter its try at exit."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (AttributeError, OSError, ValueError):
        pass
