# SPDX-License-Identifier: GPL-2.0-only
"""The build's own checks: each fails on what it is there for, and names it."""

import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("-std=gnu++20", "-ffreestanding", "-fno-pic", "-mcmodel=kernel")


def run(*words, **env):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=ROOT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env})
    return done.returncode, done.stdout


class CheckObject(unittest.TestCase):
    def check(self, source, *flags, **env):
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "a.cpp").write_text(source)
            status, text = run("g++", *FLAGS, *flags, "-c", "-o", f"{d}/a.o", f"{d}/a.cpp")
            self.assertEqual(status, 0, text)
            return run("scripts/check-object", f"{d}/a.o", **env)

    def refused(self, why, *arguments, **env):
        status, text = self.check(*arguments, **env)
        self.assertEqual(status, 1, text)
        self.assertIn(why, text)

    def test_plain_code_passes(self):
        self.assertEqual(self.check("int f(int *p) { return *p; }"), (0, ""))

    def test_static_constructor(self):
        self.refused("static constructors", "int f(); int x = f();")

    def test_runtime(self):
        self.refused("__cxa_throw", "void f() { throw 1; }")
        self.refused("operator new", "int *f() { return new int; }")
        self.refused("__cxa_guard_acquire", "int g(); int f() { static int x = g(); return x; }")

    def test_function_tracing(self):
        self.refused("__fentry__", "int f() { return 1; }", "-pg", "-mfentry")

    def test_object_without_kasan(self):
        source = "int f(int *p) { " + "p[1] += p[2] * 3;" * 80 + " return *p; }"
        self.refused("no KASAN checks", source, KASAN="1")
        flags = ("-fsanitize=kernel-address",)
        self.assertEqual(self.check(source, *flags, KASAN="1")[0], 0)

    def test_object_without_kcsan(self):
        source = "int f(int *p) { " + "p[1] += p[2] * 3;" * 80 + " return *p; }"
        self.refused("no KCSAN checks", source, KCSAN="1")
        self.assertEqual(self.check(source, "-fsanitize=thread", KCSAN="1")[0], 0)

    def test_constructor_of_kasan(self):
        flags = ("-fsanitize=kernel-address", "--param", "asan-globals=1")
        self.assertEqual(self.check("int x;", *flags, KASAN="1"), (0, ""))
        self.refused("static constructors", "int x;", *flags)
        self.refused("static constructors", "int f(); int x = f();", *flags, KASAN="1")

    def test_usage(self):
        self.assertEqual(run("scripts/check-object")[0], 2)
        self.assertEqual(run("scripts/check-object", "--help")[0], 0)


class CheckCoreIncludes(unittest.TestCase):
    def check(self, line):
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "a.cpp").write_text(line + "\n")
            return run("scripts/check-core-includes", d)

    def test_kernel_headers(self):
        for line in ("#include <linux/rcupdate.h>", '#include "linux/slab.h"',
                     "  # include <asm/nmi.h>", "#include <cstdint>"):
            status, text = self.check(line)
            self.assertEqual(status, 1, line)
            self.assertIn(line.strip(), text)

    def test_own_headers(self):
        self.assertEqual(self.check('#include "shim/rcu.h"\n#include "kstd/atomic.hpp"')[0], 0)

    def test_the_core_itself(self):
        self.assertEqual(run("scripts/check-core-includes", "cxx_core"), (0, ""))


class MissingOption(unittest.TestCase):
    def test_is_named(self):
        have = {f"CONFIG_{o}=y" for o in ("MODULES", "SMP", "X86_64", "X86_LOCAL_APIC",
                                          "HIGH_RES_TIMERS", "HOTPLUG_CPU", "SYSFS", "KALLSYMS",
                                          "PM_SLEEP", "PERF_EVENTS")}
        status, text = run("make", "-n", "-f", "Kbuild", f"src={ROOT}", "obj=x", *have, "FORCE")
        self.assertNotIn("was built without", text)
        status, text = run("make", "-n", "-f", "Kbuild", f"src={ROOT}", "obj=x",
                           *(have - {"CONFIG_HIGH_RES_TIMERS=y"}))
        self.assertNotEqual(status, 0)
        self.assertIn("without CONFIG_HIGH_RES_TIMERS", text)


if __name__ == "__main__":
    unittest.main()
