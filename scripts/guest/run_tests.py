#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""run_tests.py MODULE... - run unittest modules in the guest, print KTAP."""

import sys
import time
import unittest


class Ktap(unittest.TestResult):
    """One line for each test as it ends; diagnostics as comments before it."""

    count = failed = 0

    def __init__(self):
        super().__init__()
        self.seconds = {}

    def startTest(self, test):
        super().startTest(test)
        self.seconds[test.id()] = -time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.seconds[test.id()] += time.monotonic()

    def line(self, ok, test, text="", directive=""):
        self.count += 1
        self.failed += not ok
        for note in text.strip().splitlines():
            print(f"# {note}")
        name = test.id().removeprefix("__main__.")
        print(f"{'ok' if ok else 'not ok'} {self.count} {name}{directive}", flush=True)

    def addSuccess(self, test):
        self.line(True, test)

    def addFailure(self, test, err):
        self.line(False, test, self._exc_info_to_string(err, test))

    addError = addFailure

    def addSkip(self, test, reason):
        self.line(True, test, directive=f" # SKIP {reason}")

    def addSubTest(self, test, subtest, err):
        # Counted as a test of its own only when it fails.
        if err:
            self.line(False, subtest, self._exc_info_to_string(err, test))


def main():
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        print(__doc__)
        return 2
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    result = Ktap()
    print("KTAP version 1", flush=True)
    suite.run(result)
    print(f"1..{result.count}")
    longest = sorted(result.seconds.items(), key=lambda of: -of[1])[:8]
    print(f"# {sum(result.seconds.values()):.0f} s; longest: "
          + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in longest), flush=True)
    return 1 if result.failed or not result.count else 0


if __name__ == "__main__":
    sys.exit(main())
