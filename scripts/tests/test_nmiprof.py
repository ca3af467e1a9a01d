#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of nmiprof over fake sysfs, debugfs and procfs trees.

Run from the repository: python3 -m unittest discover -s scripts/tests
"""

import contextlib
import errno
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from unittest import mock

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOL = os.path.join(SCRIPTS, "nmiprof")
PYTHON = sys.executable
sys.dont_write_bytecode = True
sys.path.insert(0, SCRIPTS)

from nmiprof_lib import cli, kernel as kernel_files                            # noqa: E402
from nmiprof_lib.errors import Failure                                         # noqa: E402
from nmiprof_lib.functions import Attribution                                  # noqa: E402
from nmiprof_lib.ledger import Ledger                                          # noqa: E402
from nmiprof_lib.profile import Profile                                        # noqa: E402
from nmiprof_lib.symbols import Kallsyms, RangeTable, check_visible, excerpt   # noqa: E402

TERMS = ("due sent coalesced skipped_overrun skipped_offline handled outstanding lost_offline "
         "lost_timeout late foreign samples binned user idle no_buffer out_of_range "
         "perf_due perf_delivered perf_excluded perf_throttled").split()

TEXT = "text ffffffff81000000 ffffffff81010000\n"

KALLSYMS = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000000 t early_code
ffffffff81000100 t local_name
ffffffff81000100 T global_name
ffffffff810001f0 T __pfx_padded
ffffffff81000200 T padded
ffffffff81000210 t tiny
ffffffff81000220 W weak_one
ffffffff81008000 T last_function
ffffffff81010000 T _etext
ffffffff82000000 D some_data
ffffffffc0100000 t module_function\t[demo]
ffffffffc0100080 t module_last\t[demo]
ffffffffc0200000 t ftrace_trampoline\t[__builtin__ftrace]
ffffffffc0300000 t bpf_prog_1234_filter\t[bpf]
"""
MODULES = "demo 16384 0 - Live 0xffffffffc0100000 (OE)\nother 8192 0 - Live 0xffffffffc0110000\n"

DUMP = "# nmiprof samples 1\n" + TEXT + """\
granularity 32
outside_granularity 16
rate_hz 997
samples 1000
user 100
idle 300
out_of_range 7
some_new_key 5
bin ffffffff81000100 400 40
bin ffffffff81000200 93 0
out ffffffffc0100010 60 60
out ffffffffc0500000 40 4
"""
EMPTY = "# nmiprof samples 1\n" + TEXT + """\
granularity 32
outside_granularity 16
rate_hz 997
samples 0
user 0
idle 0
out_of_range 0
"""


def row(**values):
    return {term: values.get(term, 0) for term in TERMS}


def ledger_text(rows):
    lines = [" ".join(["cpu", *TERMS])]
    lines += [" ".join([name, *(str(values[term]) for term in TERMS)]) for name, values in rows.items()]
    return "\n".join(lines) + "\n"


ZERO = ledger_text({"total": row(), "0": row(), "1": row()})
CPU0 = row(due=610, sent=600, coalesced=4, skipped_overrun=6, handled=599, lost_timeout=1, late=1,
           foreign=2, samples=600, binned=343, user=50, idle=200, out_of_range=7)
CPU1 = row(due=400, sent=400, handled=400, samples=400, binned=250, user=50, idle=100)
BOTH = {term: CPU0[term] + CPU1[term] for term in TERMS}
AFTER = ledger_text({"total": BOTH, "0": CPU0, "1": CPU1})


class Tree:
    """Files of a kernel with the module loaded."""

    def __init__(self, case):
        directory = tempfile.TemporaryDirectory()
        case.addCleanup(directory.cleanup)
        self.root = directory.name
        for name, value in (("enable", "0"), ("rate_hz", "100"), ("cpus", "0-1"),
                            ("granularity", "0"), ("layout", "percpu")):
            self.put(f"/sys/kernel/nmiprof/{name}", value + "\n")
        self.put("/sys/kernel/debug/nmiprof/ledger", ZERO)
        self.put("/sys/kernel/debug/nmiprof/drain", EMPTY)
        self.put("/sys/module/nmiprof/version", "0.9\n")
        self.put("/proc/kallsyms", KALLSYMS)
        self.put("/proc/modules", MODULES)
        self.put("/proc/mounts", "debugfs /sys/kernel/debug debugfs rw 0 0\n")

    def path(self, name):
        return self.root + name

    def put(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        # In one step, for a reader may be under way.
        with open(self.path(name) + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(self.path(name) + ".new", self.path(name))

    def get(self, name):
        with open(self.path("/sys/kernel/nmiprof/" + name), encoding="ascii") as file:
            return file.read().strip()

    def remove(self, name):
        os.unlink(self.path(name))

    def settings(self):
        return [self.get(name) for name in ("enable", "rate_hz", "cpus", "granularity", "layout")]


class Drain(threading.Thread):
    """A drain file with another content each time: [(before serving it, dump)]; then empty."""

    def __init__(self, case, tree, script):
        super().__init__(daemon=True)
        self.tree, self.script, self.opened = tree, list(script), 0
        self.fifo = tree.path("/sys/kernel/debug/nmiprof/drain")
        os.unlink(self.fifo)
        os.mkfifo(self.fifo)
        self.ending = False
        self.start()
        case.addCleanup(self.end)

    def run(self):
        while True:
            try:
                fd = os.open(self.fifo, os.O_WRONLY)    # until somebody reads
            except FileNotFoundError:                   # the module is gone
                return
            if self.ending:
                os.close(fd)
                return
            # The next reader gets another FIFO, not the rest of this one.
            os.mkfifo(self.fifo + ".new")
            os.rename(self.fifo + ".new", self.fifo)
            action, dump = self.script.pop(0) if self.script else (None, EMPTY)
            if action:
                action()
            self.opened += 1
            with contextlib.suppress(BrokenPipeError):      # the reader was killed
                os.write(fd, dump.encode())
            os.close(fd)

    def end(self):
        """Wakes the thread, which may be anywhere and come to wait again, until it ends;
        when the file has been removed under it, it waits for ever and is left."""
        self.ending = True
        while self.is_alive() and os.path.exists(self.fifo):
            with contextlib.suppress(OSError):
                os.close(os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK))
            self.join(0.02)


class Case(unittest.TestCase):
    def setUp(self):
        self.tree = Tree(self)
        self.data = os.path.join(self.tree.root, "out.data")
        environment = mock.patch.dict(os.environ, {"NMIPROF_ROOT": self.tree.root})
        environment.start()
        self.addCleanup(environment.stop)
        root = mock.patch("os.geteuid", return_value=0)
        root.start()
        self.addCleanup(root.stop)

    def run_tool(self, *argv):
        """Exit status, stdout, stderr of a run in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(argv))
        return code, out.getvalue(), err.getvalue()

    def fails(self, code, message, *argv):
        got, _, err = self.run_tool(*argv)
        self.assertEqual(got, code, err)
        self.assertIn(message, err)
        self.assertEqual(err.count("\n"), 1, f"not one line: {err}")
        self.assertTrue(err.startswith("nmiprof: "), err)
        return err

    def set_ledger(self, text):
        return lambda: self.tree.put("/sys/kernel/debug/nmiprof/ledger", text)

    def serve(self, *dumps, ledger=AFTER):
        """A drain that is empty first, as after a record's start, then has the dumps."""
        script = [(None, EMPTY)] + [(None, dump) for dump in dumps]
        script[-1] = (self.set_ledger(ledger), script[-1][1])
        return Drain(self, self.tree, script)

    def record(self, *options, dumps=(DUMP,), ledger=AFTER):
        self.serve(*dumps, ledger=ledger)
        result = self.run_tool("record", "-o", self.data, *options)
        with open(self.data, encoding="utf-8") as file:
            return *result, json.load(file)

    def report(self, *options):
        code, out, err = self.run_tool("report", "-i", self.data, *options)
        self.assertEqual((code, err), (0, ""))
        return out


class Usage(Case):
    def test_help_of_everything(self):
        for argv in ([], ["record"], ["report"], ["top"], ["status"]):
            code, out, _ = self.run_tool(*argv, "--help")
            self.assertEqual(code, 0)
            self.assertIn("usage: nmiprof", out)

    def test_version(self):
        self.assertRegex(self.run_tool("--version")[1], r"^nmiprof \d")

    def test_wrong_usage(self):
        for message, argv in (
                ("VERB", []),
                ("invalid choice", ["rekord"]),
                ("'0' is not a rate", ["record", "-F", "0"]),
                ("'100001' is not a rate", ["top", "-F", "100001"]),
                ("'x' is not a rate", ["record", "-F", "x"]),
                ("'3-1' is not 'all'", ["record", "-C", "3-1"]),
                ("'0,,1' is not 'all'", ["record", "-C", "0,,1"]),
                ("'' is not 'all'", ["top", "-C", ""]),
                ("'24' is not 0 or a power of two", ["record", "--granularity", "24"]),
                ("'-1' is not 0", ["record", "--granularity=-1"]),
                ("invalid choice: 'both'", ["record", "--layout", "both"]),
                ("'-5' is not a number of seconds", ["record", "-d=-5"]),
                ("'nan' is not a number of seconds", ["record", "-d", "nan"]),
                ("'0.01' is not 0 or a number", ["record", "--interval", "0.01"]),
                ("exclude each other", ["record", "-d", "1", "--", "true"]),
                ("unrecognized arguments", ["report", "--jso"]),
                ("not allowed with", ["report", "--json", "--folded"]),
                ("'0' is not a whole number", ["report", "-n", "0"]),
                ("'101' is not a percentage", ["report", "--min-percent", "101"]),
                ("invalid choice: 'name'", ["report", "--sort", "name"]),
                ("'0' is not a number of seconds", ["top", "-d", "0"])):
            with self.subTest(argv=argv):
                self.fails(2, message, *argv)

    def test_command_keeps_its_options(self):
        for argv in (["record", "-F", "99", "ls", "-F", "--force"],
                     ["record", "-F", "99", "--", "ls", "-F", "--force"]):
            args = cli.parse(argv)
            self.assertEqual((args.freq, args.command, args.force),
                             (99, ["ls", "-F", "--force"], False))

    def test_runs_from_anywhere(self):
        done = subprocess.run([PYTHON, TOOL, "top", "-n", "1", "-d", "0.01"], cwd="/",
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        link = os.path.join(self.tree.root, "link")
        os.symlink(TOOL, link)
        done = subprocess.run([link, "--version"], cwd=self.tree.root, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0)


class Errors(Case):
    def test_not_root(self):
        with mock.patch.dict(os.environ), mock.patch("os.geteuid", return_value=1000):
            del os.environ["NMIPROF_ROOT"]
            for verb in ("record", "top"):
                self.fails(1, "must be run as root", verb)

    def test_not_loaded(self):
        os.rename(self.tree.path("/sys/kernel/nmiprof"), self.tree.path("/gone"))
        for verb in ("record", "top", "status"):
            self.fails(1, "the nmiprof module is not loaded: run `insmod nmiprof.ko`", verb)
        code, out, _ = self.run_tool("status", "--json")
        self.assertEqual((code, json.loads(out)["loaded"]), (1, False))

    def without_debugfs(self):
        os.rename(self.tree.path("/sys/kernel/debug/nmiprof"), self.tree.path("/gone"))

    def test_debugfs_not_mounted(self):
        self.without_debugfs()
        self.tree.put("/proc/mounts", "proc /proc proc rw 0 0\n")
        for verb in ("record", "top", "status"):
            self.fails(1, "debugfs is not mounted: run `mount -t debugfs none /sys/kernel/debug`", verb)

    def test_debugfs_without_our_files(self):
        self.without_debugfs()
        self.fails(1, "module and tool do not fit together", "status")

    def opening(self, name, number):
        """A patch that makes opening a file fail."""
        real = os.open

        def fake(path, flags, *mode):
            if str(path).endswith(name):
                raise OSError(number, os.strerror(number), path)
            return real(path, flags, *mode)
        return mock.patch("os.open", fake)

    def test_lockdown(self):
        self.tree.put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n")
        with self.opening("nmiprof/ledger", errno.EPERM):
            self.fails(1, "the kernel is locked down (confidentiality", "record")

    def test_eperm_without_lockdown(self):
        self.tree.put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        with self.opening("nmiprof/ledger", errno.EPERM), mock.patch("os.geteuid", return_value=0):
            self.fails(1, "Operation not permitted (EPERM)", "record")

    def test_setting_denied(self):
        with self.opening("nmiprof/enable", errno.EACCES), mock.patch("os.geteuid", return_value=1000):
            self.fails(1, "must be run as root", "status")

    def test_kptr_restrict(self):
        self.tree.put("/proc/kallsyms", re.sub(r"^\w{16}", "0" * 16, KALLSYMS, flags=re.M))
        for argv in (["record", "-o", self.data], ["top"]):
            err = self.fails(1, "`sysctl kernel.kptr_restrict=1`", *argv)
            self.assertIn("CAP_SYSLOG", err)
        self.assertEqual(os.listdir(os.path.dirname(self.data)).count("out.data"), 0)

    def test_no_symbols(self):
        with self.assertRaisesRegex(Failure, "no text symbols"):
            check_visible(b"ffffffff81000000 D data\n")

    def refusing(self, name, number):
        real = kernel_files.write_once

        def fake(path, value):
            if path.endswith("/" + name):
                raise OSError(number, os.strerror(number))
            real(path, value)
        return mock.patch.object(kernel_files, "write_once", fake)

    def test_setting_refused(self):
        for number, text in ((errno.EINVAL, "Invalid argument (EINVAL)"), (errno.ERANGE, "(ERANGE)"),
                             (errno.ENOMEM, "(ENOMEM)"), (errno.ENODEV, "(ENODEV)")):
            with self.refusing("cpus", number):
                err = self.fails(1, text, "record", "-o", self.data, "-F", "50", "-C", "7", "-d", "1")
            self.assertIn("cannot write '7' to " + self.tree.path("/sys/kernel/nmiprof/cpus"), err)
            self.assertIn("`dmesg`", err)
            self.assertEqual(self.tree.settings(), ["0", "100", "0-1", "0", "percpu"])
            self.assertFalse(os.path.exists(self.data))
            self.assertFalse([name for name in os.listdir(self.tree.root) if name.endswith(".tmp")])

    def test_enable_refused(self):
        with self.refusing("enable", errno.ENOMEM):
            self.fails(1, "cannot write '1' to", "record", "-o", self.data, "-d", "1")

    def test_enabled_by_somebody_else(self):
        self.tree.put("/sys/kernel/nmiprof/enable", "1\n")
        for argv in (["record", "-o", self.data], ["top"]):
            self.fails(1, "already enabled, by somebody else: use --force", *argv)
        self.assertEqual(self.tree.get("enable"), "1")

    def test_no_memory_for_a_dump(self):
        with self.opening("nmiprof/drain", errno.ENOMEM):
            self.fails(1, "cannot read", "record", "-o", self.data, "-d", "1")
        self.assertEqual(self.tree.get("enable"), "0")

    def test_bad_dump(self):
        for dump, message in (("", "starts with ''"), ("# nmiprof samples 2\n", "starts with"),
                              (EMPTY + "bin xyz 1 1\n", "line 10 makes no sense"),
                              (EMPTY + "bin ffffffff81000000 1 2\n", "makes no sense")):
            self.tree.put("/sys/kernel/debug/nmiprof/drain", dump)
            self.fails(1, message, "record", "-o", self.data, "-d", "1")

    def test_bad_ledger(self):
        for text, message in (("", "does not start with"), ("cpu due\n0 1\n", "no 'total' line"),
                              ("cpu due\ntotal x\n", "does not have 1 numbers"),
                              ("cpu due\ntotal 1\n", "has no 'sent'")):
            self.tree.put("/sys/kernel/debug/nmiprof/ledger", text)
            self.fails(1, message, "status")

    def test_output_file(self):
        self.fails(1, "cannot create /nowhere/x: No such file", "record", "-o", "/nowhere/x")
        self.fails(1, "/dev/null: not a regular file", "record", "-o", "/dev/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_command_not_there(self):
        self.fails(127, "cannot run '/nowhere/x': not found", "record", "--", "/nowhere/x")
        self.fails(126, "not executable", "record", "--", self.tree.path("/proc/modules"))
        self.assertEqual(self.tree.get("enable"), "0")

    def test_command_is_no_program(self):
        path = os.path.join(self.tree.root, "nothing")
        with open(path, "wb") as file:
            file.write(b"\x00\x01")
        os.chmod(path, 0o755)
        self.fails(126, "Exec format error", "record", "-o", self.data, "--", path)
        self.assertEqual(self.tree.get("enable"), "0")
        self.assertFalse(os.path.exists(self.data))


class DataFile(Case):
    def check(self, text, message):
        with open(self.data, "w", encoding="utf-8") as file:
            file.write(text)
        self.fails(1, message, "report", "-i", self.data)

    def test_missing(self):
        self.fails(1, "run `nmiprof record` first", "report", "-i", self.data)

    def test_unreadable(self):
        self.fails(1, "Is a directory", "report", "-i", self.tree.root)

    def test_not_ours(self):
        self.check("PERFILE2", "is not an nmiprof data file, or is damaged")
        self.check("[]", "is not an nmiprof data file")
        self.check('{"format": "nmiprof data"}', "is damaged: version None")

    def test_newer(self):
        self.check('{"format": "nmiprof data", "version": 2}', "newer than 1")

    def test_damaged(self):
        document = self.record("-d", "0.01")[3]
        self.check(json.dumps(document)[:-50], "is damaged")
        for key, value in (("bins", [["zz", 1, 1, 1]]), ("bins", 3), ("samples", 5), ("ledger", {}),
                           ("settings", {}), ("duration", "long"), ("user", -1), ("kernel", None),
                           ("symbols", [["1", "2"]])):
            with self.subTest(key=key):
                self.check(json.dumps({**document, key: value}), "is damaged: ")


class Record(Case):
    def test_duration(self):
        began = time.monotonic()
        code, out, err, data = self.record("-F", "997", "-C", "0", "-d", "0.3")
        self.assertEqual((code, out), (0, ""))
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertRegex(err, r"out.data: 1000 samples in 0\.\d s \(\d+\.\d/s\), lost 1, coalesced 4, skipped 6\n$")
        self.assertEqual(data["ended_by"], "duration")
        self.assertEqual(data["settings"],
                         {"rate_hz": "997", "cpus": "0", "granularity": "0", "layout": "percpu"})
        self.assertEqual(self.tree.settings(), ["0", "100", "0-1", "0", "percpu"])
        self.assertEqual(data["bins"], [["ffffffff81000100", 32, 400, 40], ["ffffffff81000200", 32, 93, 0]])
        self.assertEqual(data["ledger"], {"total": BOTH, "cpus": {"0": CPU0, "1": CPU1}})
        self.assertEqual(data["other"], {"rate_hz": "997", "some_new_key": "5"})
        self.assertEqual(data["module_version"], "0.9")
        self.assertEqual(data["kernel"]["release"], os.uname().release)
        self.assertEqual(data["warnings"], [])
        self.assertEqual(stat.S_IMODE(os.stat(self.data).st_mode), 0o600)

    def test_symbols_are_an_excerpt(self):
        data = self.record("-d", "0.01")[3]
        self.assertEqual([entry[2] for entry in data["symbols"]],
                         ["global_name", "padded", "tiny", "module_function"])

    def test_drains_are_merged(self):
        half = EMPTY.replace("samples 0", "samples 5") + "bin ffffffff81000100 5 1\n"
        drain = self.serve(half, half, ledger=ledger_text({"total": row(
            due=10, sent=10, handled=10, samples=10, binned=10)}))
        code, _, err = self.run_tool("record", "-o", self.data, "--interval", "0.2", "-d", "0.35")
        self.assertEqual(code, 0)
        self.assertNotIn("warning", err)
        self.assertEqual(drain.opened, 3)
        with open(self.data, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["bins"], [["ffffffff81000100", 32, 10, 2]])

    def test_command_status(self):
        code, _, err, data = self.record("-q", "--", "sh", "-c", "exit 7")
        self.assertEqual((code, err), (7, ""))
        self.assertEqual((data["ended_by"], data["command_status"]), ("command", 7))
        self.assertEqual(data["command"], ["sh", "-c", "exit 7"])

    def test_command_killed(self):
        self.assertEqual(self.record("sh", "-c", "kill -9 $$")[0], 128 + 9)

    def test_command_runs_while_enabled(self):
        enable = self.tree.path("/sys/kernel/nmiprof/enable")
        self.assertEqual(self.record("grep", "-q", "^1", enable)[0], 0)

    def test_force(self):
        self.tree.put("/sys/kernel/nmiprof/enable", "1\n")
        Drain(self, self.tree, [(None, DUMP), (self.set_ledger(AFTER), DUMP)])
        code, _, err = self.run_tool("record", "--force", "-F", "5", "-o", self.data, "-d", "0.01")
        self.assertEqual(code, 0)
        self.assertIn("1000 samples of before the start", err)
        self.assertEqual(self.tree.settings(), ["1", "100", "0-1", "0", "percpu"])

    def test_samples_that_somebody_else_took(self):
        _, _, err, data = self.record("-d", "0.01", dumps=(EMPTY,))
        self.assertIn("the ledger counts 1000 samples in buffers, the drains handed back 0", err)
        self.assertTrue(data["warnings"])

    def test_dump_that_misstates(self):
        err = self.record("-d", "0.01", dumps=(DUMP.replace("samples 1000", "samples 1003"),))[2]
        self.assertIn("stated +3 samples more", err)

    def test_ledger_that_does_not_add_up(self):
        broken = ledger_text({"total": {**BOTH, "handled": 990}})
        err = self.record("-d", "0.01", ledger=broken)[2]
        self.assertIn("sent = handled + outstanding + lost_offline + lost_timeout does not hold", err)

    def test_settings_changed_meanwhile(self):
        _, _, err, _ = self.record(
            "-F", "50", "sh", "-c", "echo 60 > " + self.tree.path("/sys/kernel/nmiprof/rate_hz"))
        self.assertIn("rate_hz was changed by another program while recording, from 50 to 60", err)
        self.assertEqual(self.tree.get("rate_hz"), "100")

    def test_no_samples(self):
        code, _, err, _ = self.record("-d", "0.01", dumps=(EMPTY,), ledger=ZERO)
        self.assertEqual(code, 0)
        self.assertIn("no samples: see `nmiprof status`", err)

    def test_module_removed_meanwhile(self):
        half = EMPTY.replace("samples 0", "samples 5") + "bin ffffffff81000100 5 1\n"
        self.serve(half, ledger=ZERO)
        code, _, err = self.run_tool(
            "record", "-F", "5", "--interval", "0.1", "-o", self.data, "--", "sh", "-c",
            f"sleep 0.5; mv {self.tree.path('/sys/kernel')} {self.tree.path('/gone')}; sleep 0.5")
        self.assertEqual(code, 1)
        self.assertIn("ended early: the nmiprof module is not loaded", err)
        self.assertIn("not restored", err)
        self.assertIn("'sh' goes on", err)
        out = self.report()
        self.assertIn("INCOMPLETE", out)
        self.assertIn("global_name", out)

    def test_old_file_is_replaced_whole(self):
        with open(self.data, "w", encoding="ascii") as file:
            file.write("x" * 100000)
        self.assertEqual(self.record("-d", "0.01")[0], 0)

    def test_write_failure(self):
        self.serve(DUMP)
        with mock.patch("os.replace", side_effect=OSError(errno.ENOSPC, "")):
            code, _, err = self.run_tool("record", "-o", self.data, "-d", "0.01")
        self.assertEqual(code, 1)
        self.assertIn("cannot write", err)
        self.assertEqual(self.tree.settings()[0], "0")
        self.assertFalse([name for name in os.listdir(self.tree.root) if name.startswith("out.data")])


class Interrupted(Case):
    """Runs in a process of its own, with signals."""

    def start(self, *argv, **options):
        # Under nohup, or in the background of a script, children ignore some signals. Not by
        # preexec_fn: with a Drain running, Python in the forked child may wait for ever.
        process = subprocess.Popen(["env", "--default-signal=INT,TERM,HUP", PYTHON, TOOL, *argv],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   **options)
        self.addCleanup(lambda: (process.kill(), process.communicate()) if process.returncode is None
                        else None)
        give_up = time.monotonic() + 20
        while self.tree.get("enable") != "1":
            self.assertLess(time.monotonic(), give_up, "was never enabled")
            self.assertIsNone(process.poll(), "ended early")
            time.sleep(0.01)
        return process

    def end(self, process, number):
        time.sleep(0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        self.assertNotIn("Traceback", err)
        return out, err

    def test_record_ends_with_a_valid_file(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                self.tree = Tree(self)
                self.data = os.path.join(self.tree.root, "out.data")
                os.environ["NMIPROF_ROOT"] = self.tree.root
                self.serve(DUMP)
                process = self.start("record", "-o", self.data, "-F", "5")
                _, err = self.end(process, number)
                self.assertEqual(process.returncode, 0, err)
                self.assertIn("1000 samples", err)
                self.assertEqual(self.tree.settings(), ["0", "100", "0-1", "0", "percpu"])
                self.assertIn("global_name", self.report())
                with open(self.data, encoding="utf-8") as file:
                    self.assertEqual(json.load(file)["ended_by"], number.name)

    def test_record_ends_its_command(self):
        self.serve(DUMP)
        process = self.start("record", "-o", self.data, "--", "sleep", "60")
        self.end(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertIn("global_name", self.report())

    def test_command_that_ends_by_its_own_ctrl_c(self):
        self.serve(DUMP)
        process = self.start("record", "-o", self.data, "--", PYTHON, "-c",
                             "import signal, sys, time\n"
                             "signal.signal(signal.SIGINT, lambda *_: sys.exit(5))\n"
                             "time.sleep(60)", start_new_session=True)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 5)
        self.assertIn("global_name", self.report())

    def test_top(self):
        Drain(self, self.tree, [])
        process = self.start("top", "-F", "5", "-d", "0.1")
        out, err = self.end(process, signal.SIGINT)
        self.assertEqual((process.returncode, err), (0, ""))
        self.assertIn("nmiprof top: 5 Hz", out)
        self.assertEqual(self.tree.settings(), ["0", "100", "0-1", "0", "percpu"])

    def test_progress_on_a_terminal(self):
        self.serve(DUMP)
        master, slave = pty.openpty()
        with subprocess.Popen([PYTHON, TOOL, "record", "-o", self.data, "-d", "1.3"],
                              stderr=slave) as process:
            os.close(slave)
            process.wait(20)
        text = os.read(master, 65536).decode()
        os.close(master)
        self.assertRegex(text, r"\r\x1b\[Knmiprof: 1 s, 0 samples, 0/s, lost 0\r\x1b\[K")
        self.assertEqual(process.returncode, 0)

    def test_top_on_a_terminal(self):
        Drain(self, self.tree, [(None, EMPTY)] + [(None, DUMP)] * 100)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 60, 0, 0))
        before = termios.tcgetattr(slave)
        with subprocess.Popen([PYTHON, TOOL, "top", "-d", "0.2"], stdin=slave, stdout=slave,
                              stderr=slave, env={**os.environ, "TERM": "xterm"}) as process:
            text = b""
            give_up = time.monotonic() + 20
            while b"global_name" not in text and time.monotonic() < give_up:
                if select.select([master], [], [], 0.1)[0]:
                    text += os.read(master, 65536)
            os.write(master, b"q")
            process.wait(20)
            while select.select([master], [], [], 0.1)[0]:
                text += os.read(master, 65536)
        self.assertEqual(process.returncode, 0, text)
        self.assertTrue(text.startswith(b"\x1b[?1049h\x1b[?25l"), text)
        self.assertTrue(text.rstrip().endswith(b"\x1b[?25h\x1b[?1049l"), text)
        screens = text.split(b"\x1b[H")
        for screen in screens[1:]:
            lines = re.sub(rb"\x1b\[[?\d]*\w", b"", screen).split(b"\r\n")
            self.assertLessEqual(len(lines), 8)
            self.assertLessEqual(max(map(len, lines)), 60)
        self.assertEqual(termios.tcgetattr(slave), before)
        os.close(master)
        os.close(slave)
        self.assertEqual(self.tree.get("enable"), "0")


class Top(Case):
    def test_plain_blocks(self):
        Drain(self, self.tree, [(None, EMPTY), (self.set_ledger(AFTER), DUMP), (None, EMPTY)])
        code, out, err = self.run_tool("top", "-F", "997", "-d", "0.05", "-n", "2")
        self.assertEqual((code, err), (0, ""))
        first, second = out.strip().split("\n\nnmiprof")
        self.assertIn("997 Hz on CPUs 0-1; last 0.1 s: 1000 samples", first)
        self.assertIn("lost 1, coalesced 4, skipped 6, no buffer 0, out of range 7", first)
        self.assertRegex(first, r" 400    40\.00       10\.0  global_name\n")
        self.assertIn("lost 0", second)

    def test_limit(self):
        Drain(self, self.tree, [(None, EMPTY), (None, DUMP)])
        out = self.run_tool("top", "-d", "0.05", "-n", "1", "--limit", "2")[1]
        self.assertIn("[idle]", out)
        self.assertIn("(5 lines with 300 samples not shown)", out)

    def test_samples_of_somebody_else(self):
        Drain(self, self.tree, [(None, DUMP)])
        self.assertIn("1000 samples of before the start", self.run_tool("top", "-d", "0.01", "-n", "1")[2])

    def test_new_module_gets_its_names(self):
        dump = EMPTY.replace("samples 0", "samples 1") + "out ffffffffc0110000 1 0\n"

        def load():
            self.tree.put("/proc/modules", MODULES + "new 4096 0 - Live 0xffffffffc0120000\n")
            self.tree.put("/proc/kallsyms", KALLSYMS + "ffffffffc0110000 t new_function\t[other]\n")
        Drain(self, self.tree, [(None, EMPTY), (None, dump), (load, dump)])
        out = self.run_tool("top", "-d", "0.05", "-n", "2")[1]
        self.assertIn("[unknown] 0xffffffffc0110000", out)
        self.assertIn("new_function [other]", out)


class Report(Case):
    def setUp(self):
        super().setUp()
        self.record("-F", "997", "-d", "0.01")
        # All that report needs is in the file.
        os.environ["NMIPROF_ROOT"] = "/nowhere"

    def test_table(self):
        lines = self.report().splitlines()
        self.assertEqual(lines[:8], [
            "SAMPLES  PERCENT  IRQS-OFF%  FUNCTION",
            "    400    40.00       10.0  global_name",
            "    300    30.00          -  [idle]",
            "    100    10.00          -  [user]",
            "     93     9.30        0.0  padded",
            "     60     6.00      100.0  module_function [demo]",
            "     40     4.00       10.0  [unknown] 0xffffffffc0500000",
            "      7     0.70          -  [out of range]"])

    def test_footer(self):
        out = self.report()
        for text in ("PERCENT is of all 1000 samples", "997 Hz on each of CPUs 0-1",
                     "104 of the 593 in kernel code had interrupts off",
                     "shared bins 93 samples (9.3%) lie in bins shared by two or more",
                     "due 1010 = sent 1000 + coalesced 4 + skipped 6 (overrun 6, offline 0)",
                     "sent 1000 = handled 999 + outstanding 0 + lost 1 (offline 0, timeout 1)",
                     "samples 1000 = binned 593 + user 100 + idle 300 + no buffer 0 + out of range 7",
                     "besides: late 1, foreign 2", "Linux " + os.uname().release):
            self.assertIn(text, out)
        self.assertNotIn("ADD UP", out)

    def test_limits(self):
        out = self.report("-n", "2")
        self.assertIn("(5 lines with 300 samples not shown)", out)
        self.assertNotIn("padded", out)
        self.assertIn("(2 lines with 47 samples not shown)", self.report("--min-percent", "5"))

    def test_sort(self):
        lines = self.report("--sort", "irqs-off").splitlines()
        self.assertTrue(lines[1].endswith("module_function [demo]"))
        self.assertTrue(lines[2].endswith("global_name"))

    def test_by_module(self):
        self.assertEqual(self.report("--by-module").splitlines()[:7], [
            "SAMPLES  PERCENT  IRQS-OFF%  MODULE",
            "    493    49.30        8.1  kernel",
            "    300    30.00          -  [idle]",
            "    100    10.00          -  [user]",
            "     60     6.00      100.0  demo",
            "     40     4.00       10.0  [unknown]",
            "      7     0.70          -  [out of range]"])

    def test_folded_counts_each_sample_once(self):
        lines = self.report("--folded").splitlines()
        self.assertEqual(lines, [
            "kernel;global_name 360", "kernel;global_name;[irqs off] 40", "[idle] 300", "[user] 100",
            "kernel;padded 93", "demo;module_function;[irqs off] 60",
            "[unknown];0xffffffffc0500000 36", "[unknown];0xffffffffc0500000;[irqs off] 4",
            "[out of range] 7"])
        self.assertEqual(sum(int(line.rsplit(" ", 1)[1]) for line in lines), 1000)
        lines = self.report("--folded", "--by-module").splitlines()
        self.assertIn("kernel;[irqs off] 40", lines)
        self.assertEqual(sum(int(line.rsplit(" ", 1)[1]) for line in lines), 1000)

    def test_json(self):
        document = json.loads(self.report("--json"))
        self.assertEqual((document["schema"], document["version"]), ("nmiprof report", 1))
        self.assertEqual(document["functions"][0], {
            "name": "global_name", "module": "kernel", "samples": 400, "percent": 40.0,
            "irqs_off": 40, "irqs_off_percent": 10.0, "address": "0xffffffff81000100"})
        self.assertEqual(document["functions"][1]["irqs_off"], None)
        self.assertEqual(sum(entry["samples"] for entry in document["functions"]), 1000)
        self.assertEqual((document["ambiguous"], document["unknown"], document["irqs_off"]), (93, 40, 104))
        self.assertEqual(document["ledger"]["cpus"]["1"], CPU1)
        self.assertTrue(all(check["holds"] for check in document["ledger"]["equations"]))
        modules = json.loads(self.report("--json", "--by-module", "-n", "1"))
        self.assertEqual(modules["modules"][0]["name"], "kernel")
        self.assertEqual(modules["not_shown"], {"rows": 5, "samples": 507})

    def test_closed_stdout(self):
        for command in (f"{PYTHON} {TOOL} report -i {self.data} | true",
                        f"{PYTHON} {TOOL} report -i {self.data} >&-",
                        f"{PYTHON} {TOOL} --help | true"):
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "")

    def test_full_stdout(self):
        done = subprocess.run(f"{PYTHON} {TOOL} report -i {self.data} >/dev/full", shell=True,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "nmiprof: No space left on device (ENOSPC)\n"))


class Status(Case):
    def test_all_well(self):
        self.set_ledger(AFTER)()
        code, out, err = self.run_tool("status", "--cpu")
        self.assertEqual((code, err), (0, ""))
        for text in ("loaded, version 0.9", "0, not sampling", "0, automatic",
                     "due = sent + coalesced + skipped_overrun + skipped_offline: "
                     "1010 = 1000 + 4 + 6 + 0: holds",
                     "every equation holds for each of 2 CPUs"):
            self.assertIn(text, out)
        self.assertRegex(out, r"\n +0 +610 +600 +4 ")

    def test_broken(self):
        for text, message in (
                (ledger_text({"total": {**BOTH, "sent": 995}, "0": CPU0, "1": CPU1}),
                 "total: due = sent + coalesced + skipped_overrun + skipped_offline: "
                 "1010 = 995 + 4 + 6 + 0: DOES NOT HOLD, difference +5"),
                (ledger_text({"total": BOTH, "0": {**CPU0, "user": 51}, "1": {**CPU1, "user": 49}}),
                 "CPU 0: samples = binned"),
                (ledger_text({"total": {**BOTH, "late": 5}, "0": CPU0, "1": CPU1}),
                 "late = its sum over all CPUs: 5 = 1: DOES NOT HOLD, difference +4")):
            self.set_ledger(text)()
            code, out, _ = self.run_tool("status")
            self.assertEqual(code, 1)
            self.assertIn(message, out)
            self.assertNotIn("every equation holds", out)

    def test_json(self):
        self.set_ledger(AFTER)()
        code, out, _ = self.run_tool("status", "--json")
        document = json.loads(out)
        self.assertEqual((code, document["ok"], document["loaded"], document["enable"]), (0, True, True, False))
        self.assertEqual(document["ledger"]["total"], BOTH)
        self.assertEqual(document["settings"]["cpus"], "0-1")
        self.assertEqual(sorted(document["checks"][0]), ["cpu", "difference", "equation", "holds",
                                                         "left", "numbers", "right"])

    def put_stats(self):
        for term in TERMS:
            self.tree.put(f"/sys/kernel/nmiprof/stats/{term}", f"{BOTH[term]}\n")
            self.tree.put(f"/sys/kernel/nmiprof/stats/cpu0/{term}", f"{CPU0[term]}\n")
            self.tree.put(f"/sys/kernel/nmiprof/stats/cpu1/{term}", f"{CPU1[term]}\n")
        for name in ("discarded", "buffer_bytes", "buffer_granularity"):
            self.tree.put(f"/sys/kernel/nmiprof/stats/{name}", "64\n")

    def test_without_root(self):
        self.put_stats()
        with mock.patch("os.geteuid", return_value=1000):
            code, out, _ = self.run_tool("status", "--json")
            self.assertEqual((code, json.loads(out)["ledger"]["source"]), (0, "stats"))
            self.tree.put("/sys/kernel/nmiprof/enable", "1\n")
            code, out, _ = self.run_tool("status")
        self.assertEqual(code, 0)
        self.assertIn("not checked: the module is sampling", out)

    def test_new_terms_are_shown_and_added(self):
        names = [*TERMS, "skipped_asleep", "curious"]
        total = {**BOTH, "due": BOTH["due"] + 3, "skipped_asleep": 3, "curious": 77}
        self.set_ledger(" ".join(["cpu", *names]) + "\n"
                        + " ".join(["total", *(str(total[name]) for name in names)]) + "\n")()
        code, out, _ = self.run_tool("status")
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"curious +77\n")
        self.assertIn("+ skipped_asleep", out)


class Ledgers(unittest.TestCase):
    def test_new_cpu_counts_from_zero(self):
        before = Ledger.parse(ledger_text({"total": CPU0, "0": CPU0}))
        after = Ledger.parse(AFTER)
        difference = after.since(before)
        self.assertEqual(difference.total, CPU1)
        self.assertEqual(difference.cpus, {"0": row(), "1": CPU1})


class Symbols(unittest.TestCase):
    def setUp(self):
        self.table = Kallsyms(KALLSYMS.encode(), MODULES.encode(), (0xffffffff81000000, 0xffffffff81010000))

    def name(self, address):
        pieces = self.table.covering(address, address + 1)
        return pieces[0][0][2] if pieces else None

    def test_names(self):
        for address, name in (
                (0xffffffff80ffffff, None),
                (0xffffffff81000000, "early_code"),         # not _text, not _stext
                (0xffffffff810000ff, "early_code"),
                (0xffffffff81000100, "global_name"),
                (0xffffffff810001ef, "global_name"),
                (0xffffffff810001f0, "padded"),             # its prefix
                (0xffffffff81000210, "tiny"),
                (0xffffffff81000220, "weak_one"),
                (0xffffffff8100ffff, "last_function"),
                (0xffffffffc00fffff, None),
                (0xffffffffc0100000, "module_function"),
                (0xffffffffc0103fff, "module_last"),
                (0xffffffffc0104000, None),                 # behind the module
                (0xffffffffc0110000, None),                 # a module without symbols
                (0xffffffffc0200fff, "ftrace_trampoline"),
                (0xffffffffc0201000, None),                 # another page
                (0xffffffffc030ffff, "bpf_prog_1234_filter"),
                (0xffffffffc0310000, None)):
            self.assertEqual(self.name(address), name, hex(address))

    def test_text_ends_the_last_function(self):
        table = Kallsyms(b"ffffffff81000000 T only\n", b"", (0xffffffff81000000, 0xffffffff81000800))
        self.assertEqual(table.covering(0xffffffff81000700, 0xffffffff81000900)[0][1], 0x100)

    def test_prefix_belongs_to_its_function(self):
        (entry, share), = self.table.covering(0xffffffff810001f0, 0xffffffff81000210)
        self.assertEqual((entry[0], entry[2], share), (0xffffffff810001f0, "padded", 32))
        self.assertEqual(self.table.covering(0xffffffff81000200, 0xffffffff81000201)[0][0], entry)

    def test_bin_goes_to_the_function_with_most_bytes(self):
        profile = Profile()
        profile.add("# nmiprof samples 1\ngranularity 64\noutside_granularity 16\n"
                    "bin ffffffff81000200 10 3\n"       # padded 16, tiny 16, weak_one 32
                    "bin ffffffff810001c0 5 5\n"        # global_name 48, padded 16
                    "bin ffffffff81000240 2 0\n")       # weak_one alone
        result = Attribution(profile, self.table)
        self.assertEqual({row.name: (row.samples, row.irqs_off) for row in result.rows},
                         {"weak_one": (12, 3), "global_name": (5, 5)})
        self.assertEqual(result.ambiguous, 15)

    def test_functions_of_one_name_stay_apart(self):
        table = Kallsyms(b"ffffffff81000000 t twin\nffffffff81000100 t twin\n", b"")
        profile = Profile()
        profile.add("# nmiprof samples 1\ngranularity 16\nbin ffffffff81000000 1 0\nbin ffffffff81000100 2 0\n")
        self.assertEqual(sorted(row.samples for row in Attribution(profile, table).rows), [1, 2])

    def outside(self, *addresses):
        profile = Profile()
        profile.add("# nmiprof samples 1\noutside_granularity 16\n"
                    + "".join(f"out {address:x} 1 0\n" for address in addresses))
        return profile

    def names(self, profile, late, early):
        table, renamed = excerpt(profile, late, early)
        for one, two in zip(table.entries, table.entries[1:]):
            self.assertLessEqual(one[1], two[0], "ranges overlap")
        return sorted(row.name for row in Attribution(profile, table).rows), renamed

    def test_module_unloaded_meanwhile_keeps_its_names(self):
        late = Kallsyms(KALLSYMS.replace("[demo]", "[x]").split("ffffffffc0100000")[0].encode(), b"")
        profile = self.outside(0xffffffffc0100010, 0xffffffffc0100090)
        self.assertEqual(self.names(profile, late, self.table),
                         (["module_function", "module_last"], 0))

    def test_another_module_in_its_place_is_told(self):
        text = KALLSYMS.split("ffffffffc0100000")[0] + "ffffffffc0100000 t newcomer\t[new]\n"
        late = Kallsyms(text.encode(), b"new 4096 0 - Live 0xffffffffc0100000\n")
        profile = self.outside(0xffffffffc0100010, 0xffffffffc0102000)
        self.assertEqual(self.names(profile, late, self.table), (["module_last", "newcomer"], 1))

    def test_same_tables_same_names(self):
        profile = Profile()
        profile.add(DUMP)
        table, _ = excerpt(profile, self.table, self.table)
        full = {row.name: row.samples for row in Attribution(profile, self.table).rows}
        self.assertEqual({row.name: row.samples for row in Attribution(profile, table).rows}, full)
        self.assertIsInstance(table, RangeTable)


if __name__ == "__main__":
    unittest.main()
