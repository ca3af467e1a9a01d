# SPDX-License-Identifier: GPL-2.0-only
"""Loading, settings, bad input: what a user can do and get wrong."""

import errno
import os
import stat
import threading
import time
import unittest

import nmiprof_guest as g

PARAMETERS = ("enable", "rate_hz", "cpus", "granularity", "layout", "source",
              "memory_mib", "memory_per_cpu_mib")


class Loading(unittest.TestCase):
    def test_insmod_without_parameters_samples_nothing(self):
        with g.module():
            time.sleep(0.3)
            self.assertEqual(g.read("enable"), "0")
            self.assertEqual(set(g.ledger()["total"].values()), {0})

    def test_modinfo_describes_every_parameter(self):
        described = g.run("modinfo", "-p", g.HERE / "nmiprof.ko").splitlines()
        names = {line.split(":")[0] for line in described if line.split(":", 1)[1].strip()}
        self.assertEqual(names, set(PARAMETERS))

    def test_parameters_take_effect(self):
        with g.module("nmiprof", "rate_hz=499", "cpus=0-1", "granularity=256",
                      "layout=shared", "enable=1"):
            self.assertEqual(g.settings(), {"enable": "1", "rate_hz": "499", "cpus": "0-1",
                                            "granularity": "256", "layout": "shared",
                                            "source": "timer"})

    def test_bad_parameters_are_refused_whole(self):
        for bad in ("rate_hz=100001", "cpus=4000", "cpus=x", "granularity=48", "layout=best", "source=tsc"):
            log = g.Log()
            done = g.run("insmod", g.HERE / "nmiprof.ko", "enable=1", bad, check=False)
            self.assertNotEqual(done.returncode, 0, bad)
            self.assertFalse(g.loaded(), bad)
            self.assertEqual(len(log.lines("nmiprof: refused: ")), 1, bad)

    def test_unload_under_fire(self):
        for _ in range(5):
            with g.module("nmiprof", "enable=1", "rate_hz=20000"):
                time.sleep(0.2)
                handled = g.ledger()["total"]["handled"]
            self.assertGreater(handled, 100)

    def test_dumps_are_for_root_only(self):
        with g.module():
            for name in ("ledger", "samples", "drain", "profile", "handlers"):
                mode = stat.S_IMODE(os.stat(g.DEBUGFS / name).st_mode)
                self.assertEqual(mode, 0o400, name)
            done = g.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                         "sh", "-c", f"echo 1 >{g.SYSFS}/enable", check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(g.read("enable"), "0")


HUGE = "9" * 30
COMMON = ["", "\n", " ", "-1", HUGE, "0x", "1 2", "one", "\x00", "\xff\xfe", "%n%s", "1\x002",
          "7" * 4095]
# What each file refuses beside COMMON, with the errno where it says something.
BAD = {
    "enable": [("2x", errno.EINVAL), ("maybe", errno.EINVAL)],
    "rate_hz": [("0", errno.ERANGE), ("100001", errno.ERANGE), (HUGE, errno.ERANGE),
                ("-5", errno.EINVAL), ("12.5", errno.EINVAL)],
    "granularity": [("3", errno.EINVAL), ("48", errno.EINVAL), ("2", errno.ERANGE),
                    ("131072", errno.ERANGE), ("4", errno.ERANGE), (HUGE, errno.ERANGE)],
    "layout": [("both", errno.EINVAL), ("percpu,shared", errno.EINVAL)],
    "source": [("clock", errno.EINVAL), ("timer,pmu", errno.EINVAL), ("pmu", errno.ENODEV)],
    "cpus": [("4000", errno.EINVAL), ("99999999", errno.EINVAL), ("3-1", errno.EINVAL),
             ("0,,x", errno.EINVAL), ("0-", errno.EINVAL), ("a-b", errno.EINVAL)],
}
TAKEN = {("cpus", "1 2")}  # to the kernel, spaces separate CPUs as commas do


class BadInput(unittest.TestCase):
    def check_refused(self, name, value, want=None):
        before, log = g.settings(), g.Log()
        got = g.write(name, value.encode("latin-1"))
        what = f"{name} <- {value[:20]!r}"
        self.assertNotEqual(got, 0, what)
        if want:
            self.assertEqual(g.errno_name(got), g.errno_name(want), what)
        self.assertEqual(g.settings(), before, what)
        # One line, or none when the rate limit holds it back.
        self.assertLessEqual(len(log.lines("nmiprof: refused")), 1, what)

    def test_every_file_refuses_nonsense(self):
        with g.module(), self.subTest("off"):
            self.refuse_all()

    def test_every_file_refuses_nonsense_while_sampling(self):
        with g.module("nmiprof", "enable=1", "rate_hz=2000"):
            self.refuse_all()
            time.sleep(0.3)
            self.assertEqual(g.imbalances(g.ledger()), [])
            self.assertGreater(g.Dump("drain")["samples"], 0)

    def refuse_all(self):
        for name, bad in BAD.items():
            for value in COMMON:
                if value and (name, value) not in TAKEN:
                    self.check_refused(name, value)
            for value, want in bad:
                self.check_refused(name, value, want)

    def test_one_clear_line_in_the_log(self):
        with g.module():
            time.sleep(5.5)  # the log's rate limit looks at 5 s
            for name, value, line in (
                    ("rate_hz", "0", "nmiprof: refused: rate_hz 0: must be 1 to 100000"),
                    ("granularity", "48", "nmiprof: refused: granularity 48: must be 0 or a power of two"),
                    ("cpus", "4000", "nmiprof: refused: cpus: "),
                    ("layout", "both", "nmiprof: refused: layout: must be percpu or shared"),
                    ("source", "pmu", "nmiprof: refused: source pmu: CPU 0 has no counter that interrupts"),
                    ("enable", "maybe", "nmiprof: refused: enable: must be 0 or 1")):
                log = g.Log()
                self.assertNotEqual(g.write(name, value), 0)
                lines = log.lines()
                self.assertEqual(len(lines), 1, lines)
                self.assertIn(line, lines[0])

    def test_offline_and_absent_cpus(self):
        with g.module():
            g.online(3, False)
            try:
                self.assertEqual(g.write("cpus", "2-3"), errno.ENODEV)
                self.assertEqual(g.write("cpus", "0-2"), 0)
                self.assertEqual(g.write("cpus", "7"), errno.EINVAL)
                self.assertEqual(g.read("cpus"), "0-2")
            finally:
                g.online(3, True)

    def test_empty_writes_change_nothing(self):
        with g.module():
            before = g.settings()
            for name in before:
                g.write(name, "")  # a write of no bytes does not reach the module
            self.assertEqual(g.settings(), before)

    def test_concurrent_writers(self):
        values = {"enable": "01", "rate_hz": ("100", "5000", "x", "0"), "cpus": ("all", "0", "1-2", "9"),
                  "granularity": ("0", "256", "4096", "3"), "layout": ("percpu", "shared", "?"),
                  "source": ("timer", "pmu", "?")}
        stop = time.monotonic() + 5

        def writer(name):
            while time.monotonic() < stop:
                for value in values[name]:
                    g.write(name, value)

        def reader():
            while time.monotonic() < stop:
                for name in ("drain", "samples", "profile", "ledger", "handlers"):
                    (g.DEBUGFS / name).read_bytes()

        with g.module():
            threads = [threading.Thread(target=writer, args=(name,)) for name in values]
            threads += [threading.Thread(target=reader) for _ in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(g.imbalances(g.ledger()), [])
            self.assertEqual(g.write("enable", "0"), 0)
            self.assertEqual(g.ledger()["total"]["outstanding"], 0)

    def test_too_much_memory_is_refused_and_the_old_buffer_goes_on(self):
        with g.module("nmiprof", "enable=1", "rate_hz=2000"), g.busy():
            used = g.read("stats/buffer_granularity")
            self.assertEqual(g.write("granularity", "4"), errno.ERANGE)
            self.assertEqual(g.read("stats/buffer_granularity"), used)
            g.Dump("drain")
            time.sleep(0.3)
            self.assertGreater(g.Dump("drain")["samples"], 100)
            total = int(g.read("stats/buffer_bytes"))
            self.assertLessEqual(total, g.NR_CPUS * 8 << 20)

    def test_small_limits_choose_a_coarse_granularity(self):
        with g.module("nmiprof", "enable=1", "memory_per_cpu_mib=1"):
            self.assertGreaterEqual(int(g.read("stats/buffer_granularity")), 256)
            self.assertLessEqual(int(g.read("stats/buffer_bytes")), g.NR_CPUS << 20)


if __name__ == "__main__":
    unittest.main()
