# SPDX-License-Identifier: GPL-2.0-only
"""The exceptions that end nmiprof with a one-line message."""


LONGEST = 500       # characters of a message


class Failure(Exception):
    """Something could not be done."""
    exit_code = 1

    def __str__(self):
        """One line of bearable length, whatever a damaged file put into it."""
        text = " ".join(super().__str__().split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


class UsageError(Failure):
    """The command line makes no sense."""
    exit_code = 2


class CommandNotRun(Failure):
    """The command given to record could not be started (126 or 127, as in sh)."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code
