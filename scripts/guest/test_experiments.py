# SPDX-License-Identifier: GPL-2.0-only
"""Every experiment of rcu_demo.ko, found by its directory: all files are read, nonsense and
edges are written to all settings, all run at once. A new one is tested without a word here.
"""

import contextlib
import errno
import itertools
import re
import time
from pathlib import Path

import nmiprof_guest as g
import rcu_demo_guest as demo
from rcu_demo_guest import Files

NONSENSE = (b" ", b"\n", b"-1", b"many", b"1 2", b"0x", b"1\0", b"\xff\xfe", b"%s%n", b"9" * 30,
            b"x" * 5000)
EDGES = (0, 1, 64, 65, 1000, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 63, (1 << 64) - 1)


class Experiments(demo.Case):
    needs = ("nmiprof",)

    @contextlib.contextmanager
    def each(self):
        """The experiments; nothing of them runs."""
        with self.loaded("persons=1000"):
            names = Files().names()
            self.assertIn("persons", names)
            yield [Files(name) for name in names]

    def read_all(self, files):
        """{path: text} of all files; each is a line, or has no value yet."""
        found = {}
        for folder in files.folders():
            for path in sorted(folder.path.iterdir()):
                if path.is_dir():
                    continue
                try:
                    found[path] = path.read_text()
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENODATA, path)
                    continue
                self.assertRegex(found[path], r"\A[\w.]+\n\Z", path)
        return found

    def read_dumps(self):
        """Columns, which the first line names. A dump of nothing may be empty."""
        for path in filter(Path.is_file, demo.DEBUGFS.rglob("*")):
            lines = path.read_text().removeprefix("# ").splitlines()
            self.assertLessEqual(len({len(line.split()) for line in lines}), 1, path)

    @staticmethod
    def different(files):
        """Its folder and those of the first thread of each role: those of others are alike."""
        return [folder for folder in files.folders() if not re.search("[1-9]$", folder.path.name)]

    def settings(self, files):
        return {folder.path / name: folder[name]
                for folder in self.different(files) for name in folder.writable()}

    def broken(self, files):
        for path, text in self.read_all(files).items():
            if path.name in demo.BROKEN:
                self.assertEqual(int(text), 0, path)

    def test_all_values_can_be_read(self):
        with self.each() as experiments:
            self.assertGreaterEqual(len(experiments), 8)
            for files in experiments:
                with self.subTest(files.path.name):
                    stopped = self.read_all(files)
                    files["run"] = 1
                    for folder in files.folders()[1:]:
                        self.grow("turns", files=folder)
                    running = self.read_all(files)
                    self.read_dumps()
                    self.assertLessEqual(set(stopped), set(running))
                    files["run"] = 0
                    self.assertLessEqual(set(running), set(self.read_all(files)))
                    self.broken(files)
            self.read_dumps()

    def test_nonsense_is_refused_and_changes_nothing(self):
        with self.each() as experiments:
            names = [files.path.name for files in experiments]
        for name in names:
            with self.subTest(name), self.loaded("persons=1000"):
                files = Files(name)
                files["run"] = 1
                said_in_full = 0    # of each message the log takes ten in 5 s
                before = self.settings(files)
                self.log.lines()
                for path, text in itertools.product(before, NONSENSE):
                    folder = Files(path.parent)
                    self.assertIn(folder.set(path.name, text), (errno.EINVAL, errno.ERANGE),
                                  (path, text))
                    said = self.log.lines("rcu_demo: refused")
                    if said_in_full < 10:
                        self.assertEqual(len(said), 1, (path, text, said))
                        said_in_full += 1
                    self.assertLessEqual(len(said), 1, (path, text, said))
                self.assertEqual(self.settings(files), before)
                files["run"] = 0
                self.broken(files)

    def try_all(self, files, name, values):
        """Each is taken soon, and is there then, or is refused, and the one before is."""
        was = files[name]
        for value in values:
            before, began = files[name], time.monotonic()
            error = files.set(name, value)
            self.assertLess(time.monotonic() - began, 10, (files.path, name, value))
            if error:
                self.assertIn(error, demo.REFUSALS, (files.path, name, value))
            self.assertEqual(files[name], before if error else value, (files.path, name, value))
            self.assertEqual(self.log.lines(g.REPORT), [])  # before the log is full
        if files[name] != was:
            files[name] = was

    def test_what_is_taken_is_there_and_what_is_refused_is_not(self):
        with self.each() as experiments:
            for files in experiments:
                for run in 0, 1:
                    with self.subTest(files.path.name, run=run):
                        files["run"] = run
                        for folder in self.different(files) if run else [files]:
                            for name in folder.writable():
                                if name != "run":
                                    self.try_all(folder, name, self.choices(folder, name) or EDGES)
                        self.try_all(files, "run", (0, 1, 2, 0))
                        files["run"] = 0
                        self.broken(files)

    def test_all_run_at_once_and_the_module_is_unloaded(self):
        with self.each() as experiments:
            choices = [(folder, name, values) for files in experiments for folder in files.folders()
                       for name in folder.writable() if (values := self.choices(folder, name))]
            for files in experiments:
                files["run"] = 1
                for folder in files.folders()[1:]:
                    folder["interval_us"] = 0
            for folder, name, values in choices:
                for value in values:
                    folder.set(name, value)
                    time.sleep(0.03)
            for files in experiments:
                for folder in files.folders()[1:]:
                    self.grow("turns", files=folder)
                self.broken(files)
            counted = [files.path.name for files in experiments
                       if "allocated" in files and files["allocated"]]
            self.assertGreaterEqual(len(counted), 7)
            began = time.monotonic()
        self.assertLess(time.monotonic() - began, 20)
        freed = self.log.lines("rcu_demo: .* objects allocated, as many freed")
        self.assertEqual(len(freed), len(counted), freed)

    def test_loading_and_unloading_again_and_again(self):
        """With whatever is under way."""
        for nr in range(5):
            with self.each() as experiments:
                for files in experiments[nr % 2::2]:
                    files["run"] = 1
                time.sleep(0.1 * (nr % 3))
        self.assertFalse(g.loaded("nmiprof"))
