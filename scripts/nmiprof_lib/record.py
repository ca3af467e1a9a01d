# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof record: sample while a command runs, for a time, or until Ctrl-C."""

import os
import signal
import sys
import time

from . import VERSION
from .datafile import Recording, Writer
from .errors import CommandNotRun, Failure
from .kernel import Kernel
from .profile import Profile
from .sampling import Sampling, Signals
from .symbols import Kallsyms, check_visible, excerpt

PATIENCE = 2.0          # seconds that COMMAND gets to end after a signal


def say(text):
    print(f"nmiprof: {text}", file=sys.stderr)


class Progress:
    """One line on the terminal, rewritten every second."""

    def __init__(self, sampling, wanted):
        self.sampling = sampling
        self.shown = False
        self.wanted = wanted and sys.stderr.isatty()

    def show(self, elapsed):
        ledger = self.sampling.kernel.ledger().since(self.sampling.before)
        samples = ledger.total["samples"]
        sys.stderr.write(f"\r\x1b[Knmiprof: {elapsed:.0f} s, {samples} samples, "
                         f"{samples / elapsed if elapsed else 0:.0f}/s, lost {ledger.lost()}")
        sys.stderr.flush()
        self.shown = True

    def clear(self):
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self.shown = False


class Command:
    """The program to be profiled."""

    def __init__(self, words):
        import shutil
        self.words = words
        self.process = None
        if shutil.which(words[0]) is None:
            exists = os.path.exists(words[0])
            raise CommandNotRun(f"cannot run '{words[0]}': "
                                + ("not executable" if exists else "not found"),
                                126 if exists else 127)

    def start(self):
        import subprocess
        try:
            self.process = subprocess.Popen(self.words)
        except OSError as error:
            raise CommandNotRun(f"cannot run '{self.words[0]}': {os.strerror(error.errno)}",
                                126) from None

    def ended(self):
        return self.process.poll() is not None

    def finish(self, signals):
        """Wait for its end; after a signal see to it. It has our Ctrl-C, but no other signal."""
        while not self.ended() and not signals.ended_by:
            signals.wait(None)
        if signals.ended_by is not signal.SIGINT and not self.ended():
            self.process.terminate()
        for last_word in (self.process.terminate, self.process.kill, None):
            give_up = time.monotonic() + PATIENCE
            while not self.ended() and time.monotonic() < give_up:
                signals.wait(0.1)
            if self.ended() or last_word is None:
                return
            last_word()

    def status(self):
        """Its exit status as a shell has it; None while it still runs."""
        code = self.process.poll()
        return 128 - code if code is not None and code < 0 else code


def run(args):
    kernel = Kernel()
    kernel.require_all()
    command = Command(args.command) if args.command else None
    wanted = {"rate_hz": args.freq, "cpus": args.cpus,
              "granularity": args.granularity, "layout": args.layout}
    with Writer(args.output) as writer, Signals() as signals:
        early = (kernel.kallsyms(), kernel.modules())
        check_visible(early[0])
        with Sampling(kernel, wanted, args.force) as sampling:
            recording = _sample(args, sampling, signals, command)
        warnings = recording.facts["warnings"]
        warnings += sampling.problems
        _name(recording, kernel, early)
        writer.write(recording)
    if not args.quiet:
        _summary(args.output, recording)
    for warning in warnings:
        say(f"warning: {warning}")
    failed = 1 if recording.facts["incomplete"] or sampling.problems else 0
    return (command.status() if command else 0) or failed


def _sample(args, sampling, signals, command):
    """Sample until the end that was asked for; a Recording without symbols."""
    profile, warnings = Profile(), []
    sampling.start()
    begun, start = time.monotonic(), time.time()
    incomplete = False
    progress = Progress(sampling, not command and not args.quiet)
    try:
        if command:
            command.start()
        ended_by = _wait(args, sampling, signals, command, profile, begun, progress)
    except CommandNotRun:
        raise               # nothing to keep
    except Failure as failure:
        incomplete, ended_by = True, "error"
        warnings.append(f"ended early: {failure}")
    finally:
        progress.clear()
    # Whatever happens from here on, what has been drained is worth keeping.
    ledger = sampling.before.since(sampling.before)
    settings = sampling.settings
    try:
        sampling.stop()
        duration = time.monotonic() - begun
        settings_now = sampling.kernel.settings()
        profile.add(sampling.kernel.drain())
        ledger = sampling.kernel.ledger().since(sampling.before)
    except Failure as failure:
        duration = time.monotonic() - begun
        incomplete = True
        warnings.append(f"the end of the recording is missing: {failure}")
    else:
        warnings += _doubts(profile, ledger, settings, settings_now)
    if not profile.dumps:
        raise Failure(f"nothing was recorded: {warnings[0]}")
    end = time.time()
    sampling.restore()
    if command:
        if incomplete and not command.ended():
            say(f"sampling has ended early, '{command.words[0]}' goes on")
        command.finish(signals)
        if command.status() is None:
            warnings.append(f"'{command.words[0]}' still runs as process {command.process.pid}")
    if sampling.discarded:
        warnings.append(f"{sampling.discarded} samples of before the start were found in the "
                        "module and discarded")
    release = os.uname()
    facts = {
        "tool_version": VERSION,
        "module_version": sampling.kernel.module_version(),
        "kernel": {"release": release.release, "version": release.version,
                   "machine": release.machine},
        "start": _stamp(start),
        "end": _stamp(end),
        "duration": round(duration, 6),
        "ended_by": ended_by,
        "command": args.command or None,
        "command_status": command.status() if command else None,
        "incomplete": incomplete,
        "discarded_before_start": sampling.discarded,
        "samples_renamed": 0,
        "warnings": warnings,
    }
    return Recording(facts, settings, ledger, profile, None)


def _wait(args, sampling, signals, command, profile, begun, progress):
    """Drain and show progress until the end; what ended it."""
    next_drain = args.interval or None
    next_show = 1.0 if progress.wanted else None
    while True:
        elapsed = time.monotonic() - begun
        if command and command.ended():
            return "command"
        if signals.ended_by:
            return signals.ended_by.name
        if args.duration and elapsed >= args.duration:
            return "duration"
        if next_drain and elapsed >= next_drain:
            profile.add(sampling.kernel.drain())
            next_drain = elapsed + args.interval
        if next_show and elapsed >= next_show:
            progress.show(elapsed)
            next_show = elapsed + 1.0
        moments = [moment for moment in (args.duration, next_drain, next_show) if moment]
        signals.wait(min(moments) - elapsed if moments else None)


def _doubts(profile, ledger, settings, settings_now):
    """What makes the figures of this recording less than exact."""
    result = []
    counted = ledger.total["samples"] - ledger.total["no_buffer"]
    if counted != profile.samples:
        result.append(f"the ledger counts {counted} samples in buffers, the drains handed back "
                      f"{profile.samples}: did another program read the drain file?")
    if profile.misstated:
        result.append(f"the module's dumps stated {profile.misstated:+d} samples more than they held")
    result += [f"{check['equation']} does not hold for {check['cpu']}: {check['numbers']}"
               for check in ledger.checks() if not check["holds"]]
    result += [f"{name} was changed by another program while recording, "
               f"from {settings[name]} to {settings_now[name]}"
               for name in settings if settings_now[name] != settings[name]]
    if not profile.samples:
        result.append("no samples: see `nmiprof status`")
    return result


def _name(recording, kernel, early):
    """Add the names of the addresses, from before and after."""
    text = recording.profile.text
    try:
        late = (kernel.kallsyms(), kernel.modules())
        check_visible(late[0])
    except Failure as failure:
        late = early
        recording.facts["warnings"].append(f"names are those of the start only: {failure}")
    newer = Kallsyms(*late, text)
    older = newer if late == early else Kallsyms(*early, text)
    recording.symbols, renamed = excerpt(recording.profile, newer, older)
    recording.facts["samples_renamed"] = renamed
    if renamed:
        recording.facts["warnings"].append(
            f"{renamed} samples lie where another function was at the start than at the end; "
            "they have the name of the end")


def _stamp(seconds):
    """Local time with its offset from UTC."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))
    return f"{text[:-2]}:{text[-2:]}"


def _summary(name, recording):
    samples, seconds = recording.profile.samples, recording.facts["duration"]
    total = recording.ledger.total
    say(f"{name}: {samples} samples in {seconds:.1f} s "
        f"({samples / seconds if seconds else 0:.1f}/s), lost {recording.ledger.lost()}, "
        f"coalesced {total['coalesced']}, skipped {recording.ledger.skipped()}")
