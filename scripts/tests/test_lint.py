# SPDX-License-Identifier: GPL-2.0-only
"""scripts/lint: each linter fails on what it is there for, and names file and line."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", "build", "__pycache__", "corpus")


class Lint(unittest.TestCase):
    """Mistakes are planted in a copy of the project."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.copy = Path(cls.folder.name) / "copy"
        shutil.copytree(ROOT, cls.copy, ignore=LEFT_OUT)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def lint(self, linter, path, text):
        """Run one linter over one file with that at its end; status, output, first line of it."""
        target = self.copy / path
        before = target.read_text() if target.exists() else ""
        target.write_text(before + text)
        try:
            done = subprocess.run([self.copy / "scripts/lint", "--only", linter, path],
                                  cwd=self.copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True)
        finally:
            if before:
                target.write_text(before)
            else:
                target.unlink()
        return done.returncode, done.stdout, before.count("\n") + 1

    def fails(self, linter, path, text, kind, at=0):
        """The finding is on the line that lies `at` lines behind the first one planted."""
        status, out, first = self.lint(linter, path, text)
        self.assertEqual(status, 1, out)
        self.assertRegex(out, rf"(?m)^# {re.escape(path)}:{first + at}: .*\[{kind}\]$")
        self.assertIn(f"not ok 1 - lint: {linter}", out)

    def passes(self, linter, path, text):
        status, out, _ = self.lint(linter, path, text)
        self.assertEqual(status, 0, out)
        self.assertIn(f"ok 1 - lint: {linter} (", out)

    def test_checkpatch(self):
        self.fails("checkpatch", "shims/rcu.c", "\nint planted(void) {\n\treturn 0;\n}\n",
                   "OPEN_BRACE", at=1)

    def test_sparse(self):
        self.passes("sparse", "shims/rcu.c", "")
        self.fails("sparse", "shims/rcu.c",
                   "\nint __rcu *planted(void *p);\nint __rcu *planted(void *p)\n{\n"
                   "\tint *q = p;\n\n\treturn q;\n}\n", "sparse", at=6)
        self.fails("sparse", "shims/cpu.c",
                   "\nint planted(void);\nint planted(void)\n{\n"
                   "\tvoid *p = nmiprof_cpu_states;\n\n\treturn !p;\n}\n", "sparse", at=4)
        self.fails("sparse", "shims/rcu.c",
                   "\nvoid planted(int *p);\nvoid planted(int *p)\n{\n\trcu_read_lock();\n"
                   "\tif (*p)\n\t\trcu_read_unlock();\n}\n", "sparse", at=5)

    def test_sparse_sees_what_is_built(self):
        self.fails("sparse", "shims/planted.c", "// SPDX-License-Identifier: GPL-2.0-only\n",
                   "sparse")

    def test_clang_tidy(self):
        self.fails("clang-tidy", "cxx_core/planted.cpp",
                   '#include "claim.hpp"\nint planted(int *p);\nint planted(int *p)\n{\n'
                   "\tif (!p)\n\t\treturn *p;\n\treturn 0;\n}\n",
                   r"clang-analyzer-core\.NullDereference", at=5)
        self.fails("clang-tidy", "kunit_tests/host/planted.cpp",
                   "int planted(bool b);\nint planted(bool b)\n{\n\tif (b)\n\t\treturn 1;\n"
                   "\telse\n\t\treturn 1;\n}\n", "bugprone-branch-clone", at=3)

    def test_clang_tidy_says_when_it_cannot_compile(self):
        self.fails("clang-tidy", "cxx_core/planted.cpp", "#include <linux/slab.h>\n",
                   "clang-diagnostic-error")

    def test_clang_format(self):
        self.fails("clang-format", "cxx_core/planted.hpp", "int  planted;\n", "clang-format")

    def test_shellcheck(self):
        self.fails("shellcheck", ".ci/run", "rm $1\n", "SC2086")

    def test_python(self):
        self.fails("python", "scripts/guest/run_tests.py", "import planted\n", "python")
        self.fails("python", "scripts/guest/run_tests.py", "def planted(:\n", "python")

    def test_man(self):
        self.fails("man", "docs/man/planted.1", ".TH planted 1\n.planted\n", "man", at=1)

    def test_codespell(self):
        self.fails("codespell", "README.md", "A recie" "ved NMI.\n", "codespell")

    def test_house_rules(self):
        self.fails("house", "module/planted.c", "int planted;\n", "house-spdx")
        self.fails("house", "module/main.c", "#if LINUX_VERSION_CODE\n", "house-version")
        self.fails("house", "cxx_core/api.cpp", "#include <linux/slab.h>\n", "house-includes")
        self.fails("house", "cxx_core/api.cpp", "int i; // NOLINT\n", "house-silenced")
        self.fails("house", "cxx_core/api.cpp", "int i; // lint: no_such: why\n",
                   "house-exception")

    def test_exceptions(self):
        planted = "\nint planted(void) {\n\treturn 0;\n}\n"
        named = "/* lint: OPEN_BRACE: planted */"
        for text in (planted.replace("{", "{ " + named, 1), planted.replace("int", named + "\nint"),
                     "\n/* lint: OPEN_BRACE at planted: by name */" + planted):
            self.passes("checkpatch", "shims/rcu.c", text)
        # Of another kind, too far away, without a reason, or not needed.
        self.fails("checkpatch", "shims/rcu.c", planted.replace("int", named.replace(
            "OPEN_BRACE", "SPACING") + "\nint"), "OPEN_BRACE", at=2)
        self.fails("checkpatch", "shims/rcu.c", f"\n{named}\nint i;\n" + planted,
                   "OPEN_BRACE", at=4)
        self.fails("checkpatch", "shims/rcu.c", planted.replace(
            "int", "/* lint: OPEN_BRACE: */\nint"), "OPEN_BRACE", at=2)
        self.fails("checkpatch", "shims/rcu.c", f"\n{named}\nint i;\n", "OPEN_BRACE", at=1)

    def test_results_kept_are_those_of_the_same_text(self):
        bad = "\nint planted(void) {\n\treturn 0;\n}\n"
        self.fails("checkpatch", "shims/rcu.c", bad, "OPEN_BRACE", at=1)
        self.passes("checkpatch", "shims/rcu.c", "")
        status, out, _ = self.lint("checkpatch", "shims/rcu.c", "")
        self.assertIn("(1 run, 1 kept)", out)
        self.fails("checkpatch", "shims/rcu.c", bad, "OPEN_BRACE", at=1)

    def test_usage(self):
        for words, status in ((["--help"], 0), (["--only", "nothing"], 2), (["no/such/file"], 2)):
            done = subprocess.run([ROOT / "scripts/lint", *words], capture_output=True)
            self.assertEqual(done.returncode, status)


if __name__ == "__main__":
    unittest.main()
