# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof top: a table of the last moments, again and again."""

import os
import signal
import sys
import termios
import time
import tty

from .functions import Attribution, choose
from .kernel import Kernel
from .output import duration, rate, table
from .profile import Profile
from .sampling import Sampling, Signals
from .symbols import Kallsyms, check_visible

PLAIN_ROWS = 20


class Names:
    """kallsyms read once, and again only when modules have come or gone."""

    def __init__(self, kernel):
        self.kernel = kernel
        self._read()

    def _read(self):
        self.modules = self.kernel.modules()
        kallsyms = self.kernel.kallsyms()
        check_visible(kallsyms)
        self.kallsyms = Kallsyms(kallsyms, self.modules)

    @staticmethod
    def _identity(modules):
        """Names and addresses only: reference counts and states change all the time."""
        return [(fields[0], fields[-1]) for line in modules.splitlines() if (fields := line.split()[:6])]

    def table(self, profile):
        if self._identity(self.kernel.modules()) != self._identity(self.modules):
            self._read()
        self.kallsyms.set_text(profile.text)
        return self.kallsyms


class PlainDisplay:
    """One block after another, for pipes and files."""

    keyboard = ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def rows(self):
        return PLAIN_ROWS

    def draw(self, lines):
        print("\n".join(lines), end="\n\n", flush=True)

    def quit_pressed(self):
        return False


class ScreenDisplay:
    """The whole terminal, given back as it was."""

    def __enter__(self):
        self.keyboard = ()
        self.attributes = None
        if sys.stdin is not None and sys.stdin.isatty():
            self.attributes = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSANOW)
            self.keyboard = (sys.stdin.fileno(),)
        # Stopped by Ctrl-Z it would leave the module on and the terminal a mess.
        self.stop = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")
        sys.stdout.flush()
        return self

    def __exit__(self, *_):
        try:
            sys.stdout.write("\x1b[?25h\x1b[?1049l")
            sys.stdout.flush()
        finally:
            signal.signal(signal.SIGTSTP, self.stop)
            if self.attributes is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.attributes)

    @staticmethod
    def _size():
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def rows(self):
        return None             # all; draw() cuts

    def draw(self, lines):
        columns, height = self._size()
        text = "\r\n".join(line[:columns - 1] + "\x1b[K" for line in lines[:height])
        sys.stdout.write("\x1b[H" + text + "\x1b[J")
        sys.stdout.flush()

    def quit_pressed(self):
        keys = os.read(self.keyboard[0], 64)
        if not keys:
            self.keyboard = ()          # the terminal is gone
        return any(key in b"qQ" for key in keys)


def run(args):
    kernel = Kernel()
    kernel.require_all()
    names = Names(kernel)
    wanted = {"rate_hz": args.freq, "cpus": args.cpus}
    full_screen = sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    with Signals() as signals, Sampling(kernel, wanted, args.force) as sampling:
        sampling.start()
        with (ScreenDisplay() if full_screen else PlainDisplay()) as display:
            _watch(args, sampling, signals, display, names)
    if sampling.discarded:
        print(f"nmiprof: warning: {sampling.discarded} samples of before the start were found "
              "in the module and discarded", file=sys.stderr)
    for problem in sampling.problems:
        print(f"nmiprof: warning: {problem}", file=sys.stderr)
    return 1 if sampling.problems else 0


def _watch(args, sampling, signals, display, names):
    kernel, before = sampling.kernel, sampling.before
    since = time.monotonic()
    shown = 0
    lines = ["nmiprof top: the first samples are being taken"]
    if display.rows() is None:
        display.draw(lines)
    while not signals.ended_by:
        left = since + args.delay - time.monotonic()
        if left > 0:
            if signals.wait(left, *display.keyboard) and display.quit_pressed():
                return
            if display.rows() is None:
                display.draw(lines)         # the window may have another size
            continue
        profile = Profile()
        profile.add(kernel.drain())
        ledger = kernel.ledger()
        now = time.monotonic()
        lines = _block(args, sampling, profile, ledger.since(before), now - since, names, display)
        display.draw(lines)
        before, since = ledger, now
        shown += 1
        if shown == args.iterations:
            return


def _block(args, sampling, profile, ledger, seconds, names, display):
    attribution = Attribution(profile, names.table(profile))
    limit = min(filter(None, (args.limit, display.rows())), default=None)
    rows, hidden = choose(attribution, attribution.rows, limit=limit)
    settings, total = sampling.settings, ledger.total
    lines = [
        f"nmiprof top: {settings['rate_hz']} Hz on CPUs {settings['cpus']}; last "
        f"{duration(seconds)}: {profile.samples} samples, {rate(profile.samples, seconds)}, "
        f"{profile.irqs_off} with interrupts off, {attribution.ambiguous} in shared bins",
        f"lost {ledger.lost()}, coalesced {total['coalesced']}, skipped {ledger.skipped()}, "
        f"no buffer {total['no_buffer']}, out of range {total['out_of_range']}"
        + ("; q ends" if display.keyboard else ""),
        "",
        *table(attribution, rows),
    ]
    if hidden:
        lines.append(f"({len(hidden)} lines with {sum(row.samples for row in hidden)} samples "
                     "not shown)")
    return lines
