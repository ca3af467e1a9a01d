# SPDX-License-Identifier: GPL-2.0-only
"""scripts/kunit: what it takes for a pass."""

import contextlib
import importlib.machinery
import importlib.util
import io
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEAD = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n"

# The kernel's kunit.py as far as it is used: the sums of lines with a verdict.
KUNIT_PY = r"""
import re, sys
lines = open(sys.argv[2]).read().splitlines()[:-1]
found = [re.match(r" +(not )?ok \d+ \S+( # SKIP)?", line) for line in lines]
found = [("failed" if f[1] else "skipped" if f[2] else "passed") for f in found if f]
sums = ", ".join(f"{kind}: {found.count(kind)}" for kind in sorted(set(found)))
print(f"Testing complete. Ran {len(found)} tests: {sums or 'errors: 1'}")
sys.exit("failed" in found or not found)
"""


def load():
    loader = importlib.machinery.SourceFileLoader("kunit", str(ROOT / "scripts/kunit"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("kunit", loader))
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


class Judge(unittest.TestCase):
    def setUp(self):
        self.kunit = load()

    def judge(self, text):
        results = self.kunit.Results()
        with tempfile.TemporaryDirectory() as d, contextlib.redirect_stdout(io.StringIO()) as out:
            tool, path = Path(d) / "kunit.py", Path(d) / "a"
            tool.write_text(KUNIT_PY)
            if text is not None:
                path.write_text(text)
            self.kunit.judge(results, "6.12-kasan", "a", path, tool)
        return results.failed == 0, out.getvalue()

    def test_pass(self):
        ok, out = self.judge(HEAD + "    1..1\n    ok 1 x\nok 1 a\n")
        self.assertTrue(ok)
        self.assertEqual(out, "ok 1 - kunit 6.12-kasan nmiprof_a: Ran 1 tests: passed: 1\n")

    def test_failures(self):
        for text in (None, "", HEAD + "    1..0\nok 1 a\n",
                     HEAD + "    1..2\n    ok 1 x\n    not ok 2 y\nnot ok 1 a\n",
                     HEAD + "    1..1\n    ok 1 x # SKIP no CPU\nok 1 a\n"):
            self.assertFalse(self.judge(text)[0], text)

    def test_a_skip_says_why(self):
        text = HEAD + "    1..2\n    ok 1 x # SKIP {}\n    ok 2 y\nok 1 a\n"
        ok, out = self.judge(text.format("no CPU"))
        self.assertTrue(ok)
        self.assertIn("# skipped: x: no CPU\n", out)
        self.assertFalse(self.judge(text.format(""))[0])


class Suites(unittest.TestCase):
    def test_names(self):
        names = load().suites()
        self.assertGreater(len(names), 10)
        self.assertEqual(names[0], "unload")
        self.assertNotIn("support", names)
        self.assertNotIn("user", names)

    def test_a_race_elsewhere_is_not_ours(self):
        others = load().RACES_OF_OTHERS
        line = "[    5.1] BUG: KCSAN: data-race in "
        self.assertRegex(line + "tick_nohz_handler / tick_nohz_idle_got_tick", others)
        self.assertNotRegex(line + "tick / on_nmi [nmiprof]", others)
        self.assertNotRegex(line + "fire [nmiprof_kunit] / fire [nmiprof_kunit]", others)
