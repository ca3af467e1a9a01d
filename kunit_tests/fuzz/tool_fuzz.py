#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Feed damaged files to scripts/nmiprof: recordings, and what the kernel shows it.

Whatever is in a file, report, status and record end with status 0 or 1, a failure is
one line on stderr that starts with "nmiprof: ", and what record wrote, report reads.
A file that does otherwise is kept. The last line says what was done. Exit status: 0
all well, 1 not, 2 wrong usage.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts/tests")]

import test_nmiprof as example  # noqa: E402
from nmiprof_lib import cli  # noqa: E402

LEDGER, DRAIN = "/sys/kernel/debug/nmiprof/ledger", "/sys/kernel/debug/nmiprof/drain"
FILES = {
    LEDGER: example.AFTER,
    DRAIN: example.DUMP,
    "/proc/kallsyms": example.KALLSYMS,
    "/proc/modules": example.MODULES,
    "/sys/module/nmiprof/version": "0.9\n",
    "/sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
    "/sys/kernel/nmiprof/enable": "0\n",
    "/sys/kernel/nmiprof/rate_hz": "100\n",
    "/sys/kernel/nmiprof/cpus": "0-1\n",
    "/sys/kernel/nmiprof/granularity": "0\n",
    "/sys/kernel/nmiprof/layout": "percpu\n",
    "/sys/kernel/nmiprof/stats/due": "1010\n",
    "/sys/kernel/nmiprof/stats/cpu0/due": "610\n",
}
REPORTS = ([], ["--json"], ["--folded"], ["--by-module"], ["--by-module", "--json"],
           ["--sort", "irqs-off", "-n", "3"], ["--min-percent", "1"])
# What numbers, words and JSON values become.
NUMBERS = ["0", "-1", "1", "4294967295", "18446744073709551616", "9" * 400, "9" * 5000, "1.5",
           "1e400", "NaN", "-Infinity", "0x10", "", "x", "\u0663"]
VALUES = [None, True, False, 0, -1, 1.5, 2 ** 64, 10 ** 400, float("inf"), float("nan"), "", "x",
          "zz", "-1", "\n", "\ud800", "\u0663", [], {}, [[]], [None], {"x": 1}, ["a", "b"], [1, 2]]
PIECES = [b"\0", b"\n", b"\r", b"\xff\xfe", b"\x1b[2J", b"[", b"]", b"{", b"}", b'"', b",", b":",
          b" ", b"\t", b"-", b"[" * 100000, b'{"a":' * 50000, b"bin ", b"out ", b"cpu ", b"total "]


class Damage:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def bytes(self, data):
        r = self.random
        for _ in range(r.choice((1, 1, 1, 2, 3, 8))):
            at, end = sorted((r.randrange(len(data) + 1), r.randrange(len(data) + 1)))
            if r.random() < 0.7:
                end = min(end, at + r.randrange(16))
            kind = r.randrange(6)
            if kind == 0:
                data = data[:at] + data[end:]
            elif kind == 1:
                data = data[:at] + r.choice(PIECES) + data[at:]
            elif kind == 2:
                data = data[:at]
            elif kind == 3:
                data = data[:end] + data[at:end] + data[end:]
            elif kind == 4:
                data = data[:at] + r.randbytes(end - at) + data[end:]
            else:
                found = list(re.finditer(rb"[0-9a-f]+", data))
                if found:
                    word = r.choice(found)
                    data = (data[:word.start()] + r.choice(NUMBERS).encode()
                            + data[word.end():])
        return data

    def document(self, text):
        """One value of a JSON document, at any depth, is replaced, left out or doubled."""
        r = self.random
        document = json.loads(text)
        for _ in range(r.choice((1, 1, 2))):
            where, key = {"": document}, ""
            while isinstance(where[key], (dict, list)) and where[key] and r.random() < 0.85:
                where = where[key]
                key = r.choice(list(where) if isinstance(where, dict) else range(len(where)))
            kind = r.randrange(5)
            if where == {"": document} or not isinstance(where, (dict, list)):
                document = r.choice(VALUES)
                break
            if kind == 0:
                del where[key]
            elif kind == 1 and isinstance(where, list):
                where.insert(key, where[key])
            else:
                where[key] = r.choice(VALUES)
        return json.dumps(document).encode("utf-8", "surrogatepass")


class Wrong(Exception):
    """The tool did what it must not do; kind tells one fault from another."""

    def __init__(self, kind, text=""):
        super().__init__(f"{kind}\n{text}")
        self.kind = kind


def traceback_kind(error):
    """The exception, and where in the tool it left a line of its own."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if "/scripts/nmiprof_lib/" in frame.filename]
    where = frames[-1] if frames else None
    return (f"{type(error).__name__} in "
            + (f"{os.path.basename(where.filename)}:{where.lineno}" if where else "?"))


class Fuzzer:
    def __init__(self, args, directory):
        self.args = args
        self.directory = directory
        self.damage = Damage(args.seed)
        self.runs = self.refused = self.failures = 0
        self.seen = set()
        self.root = directory + "/root"
        for name, text in FILES.items():
            self.put(name, text.encode())
        self.data = directory + "/a.data"
        self.tool("record", "-q", "-d", "0.001", "--interval", "0", "-o", self.data)
        self.recording = Path(self.data).read_bytes()

    def put(self, name, data):
        path = Path(self.root + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def tool(self, *argv):
        """Runs the tool in this process; its exit status. Wrong if it misbehaved."""
        # As a terminal takes it, so that what cannot be printed is found.
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        self.runs += 1
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
                    mock.patch.dict(os.environ, NMIPROF_ROOT=self.root), \
                    mock.patch("os.geteuid", return_value=0):
                code = cli.main(list(argv))
        except Exception as error:
            raise Wrong(traceback_kind(error), traceback.format_exc(-4)) from None
        said = err.buffer.getvalue().decode("utf-8", "replace")
        lines = said.splitlines()
        last = lines[-1] if lines else ""
        if code not in (0, 1):
            raise Wrong(f"{argv[0]} ends with status {code}", said)
        if code and not last.startswith("nmiprof: ") and argv[0] != "status":
            raise Wrong(f"{argv[0]} fails and does not say why", repr(said))
        # record may warn as well.
        if argv[0] != "record" and len(lines) > 1 or len(last) > 1000:
            raise Wrong(f"{argv[0]} does not say it in one short line",
                        repr(said[:2000]))
        self.refused += code
        return code

    def report(self):
        return self.tool("report", "-i", self.data, *self.damage.random.choice(REPORTS))

    def damaged_recording(self):
        r = self.damage.random
        if r.random() < 0.5:
            data = self.damage.document(self.recording)
        else:
            data = self.damage.bytes(self.recording)
        Path(self.data).write_bytes(data)
        yield data
        self.report()

    def damaged_kernel(self):
        r = self.damage.random
        name = r.choice(list(FILES))
        data = self.damage.bytes(FILES[name].encode())
        self.put(name, data)
        yield data
        try:
            self.tool("status", *r.choice(([], ["--json"], ["--cpu"])))
            Path(self.data).unlink(missing_ok=True)
            if self.tool("record", "-q", "-d", "0.001", "--interval", "0", "-o", self.data) == 0:
                if self.report():
                    raise Wrong("report refuses what record wrote")
        finally:
            self.put(name, FILES[name].encode())
            # Switched off again, whatever it was.
            self.put("/sys/kernel/nmiprof/enable", b"0\n")

    def step(self):
        step = (self.damaged_recording if self.damage.random.random() < 0.7
                else self.damaged_kernel)()
        data = next(step)
        try:
            with contextlib.suppress(StopIteration):
                next(step)
        except Wrong as wrong:
            self.keep(data, wrong)

    def keep(self, data, wrong):
        if wrong.kind in self.seen:
            return
        self.seen.add(wrong.kind)
        self.failures += 1
        directory = Path(self.args.artifacts)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"tool-{self.args.seed}-{self.failures}"
        path.write_bytes(data)
        print(f"{path}: {wrong}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, metavar="N",
                        help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="0: random (default)")
    parser.add_argument("--artifacts", default=str(ROOT / "build/fuzz/artifacts"), metavar="DIR",
                        help="where to keep what fails (default: %(default)s)")
    args = parser.parse_args()
    args.seed = args.seed or random.randrange(1, 1 << 32)
    sys.stdout.reconfigure(errors="backslashreplace")   # messages quote what was damaged

    end = time.monotonic() + args.seconds
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(args, directory)
        while time.monotonic() < end:
            fuzzer.step()
    print(f"seed {args.seed}: {fuzzer.runs} runs on damaged files, {fuzzer.refused} refused, "
          f"{fuzzer.failures} kinds of failure")
    return 1 if fuzzer.failures or not fuzzer.refused else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
