# SPDX-License-Identifier: GPL-2.0-only
"""Switching the module on with some settings, and back to what it was."""

import os
import select
import signal

from .errors import Failure
from .kernel import SETTINGS
from .profile import Profile


class Signals:
    """SIGINT, SIGTERM and SIGHUP ask for an end; nothing is interrupted half-way.

    A drain that was opened must be read to its end or its samples are gone, so
    the handlers raise nothing: they note the signal and wake wait().
    """

    ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    WAKING = (signal.SIGCHLD, signal.SIGWINCH)

    def __init__(self):
        self.ended_by = None

    def __enter__(self):
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._old = {}
        for number in self.ENDING + self.WAKING:
            # What nohup or a shell's & had ignored stays ignored.
            if number in self.WAKING or signal.getsignal(number) != signal.SIG_IGN:
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        os.close(self._read)
        os.close(self._write)

    def _note(self, number, _frame):
        if number in self.ENDING and self.ended_by is None:
            self.ended_by = signal.Signals(number)

    def wait(self, timeout, *files):
        """Sleep until a signal, a readable file or the timeout; the readable files."""
        timeout = None if timeout is None else max(timeout, 0)
        ready, _, _ = select.select([self._read, *files], [], [], timeout)
        if self._read in ready:
            try:
                while os.read(self._read, 512):
                    pass
            except BlockingIOError:
                pass
        return [file for file in ready if file != self._read]


class Sampling:
    """with Sampling(...) as run: the module samples; afterwards all is as before.

    start() leaves the module on with an empty buffer, stop() off; drains and
    ledgers taken before start() returns and after stop() are therefore exact.
    """

    def __init__(self, kernel, wanted, force):
        self.kernel = kernel
        self.wanted = {name: value for name, value in wanted.items() if value is not None}
        self.force = force
        self.previous = {}          # settings as they were found
        self.was_enabled = False
        self.discarded = 0          # samples found in the buffer, not ours
        self.before = None          # the ledger at the start
        self.settings = None        # as the module gives them once it runs
        self.running = False
        self.touched = False
        self.problems = []          # of restoring

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _trace):
        self.restore()
        if self.problems and isinstance(error, Failure):
            error.args = ("; ".join([str(error), *self.problems]),)

    def start(self):
        kernel = self.kernel
        self.was_enabled = kernel.enabled()
        if self.was_enabled and not self.force:
            raise Failure("the module is already enabled, by somebody else: "
                          "use --force to take its samples and settings over meanwhile")
        self.previous = kernel.settings()
        self.touched = True
        if self.was_enabled:
            kernel.set("enable", "0")
        leftover = Profile()
        self.discarded = leftover.add(kernel.drain())
        for name in SETTINGS:
            if name in self.wanted:
                kernel.set(name, str(self.wanted[name]))
        self.before = kernel.ledger()
        self.running = True
        kernel.set("enable", "1")
        self.settings = kernel.settings()

    def stop(self):
        """Off: from here on the counters stand still."""
        if self.running:
            self.kernel.set("enable", "0")
            self.running = False

    def restore(self):
        """Everything as it was found; what went wrong is in problems."""
        if not self.touched:
            return
        self.touched = False
        self._try(self.stop)
        for name in SETTINGS:
            if name in self.wanted and name in self.previous:
                self._try(self._put_back, name)
        if self.was_enabled:
            self._try(self.kernel.set, "enable", "1")

    def _put_back(self, name):
        if self.kernel.get(name) != self.previous[name]:
            self.kernel.set(name, self.previous[name])

    def _try(self, action, *args):
        try:
            action(*args)
        except Failure as failure:
            self.problems.append(f"not restored: {failure}")
