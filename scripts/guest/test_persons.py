# SPDX-License-Identifier: GPL-2.0-only
"""The person list of rcu_demo.ko: readers, writers, ways to reclaim, bad input."""

import errno
import itertools
import random
import time
import unittest

import nmiprof_guest as g
import rcu_demo_guest as demo
from rcu_demo_guest import Files, module, wait_for

WAYS = ("synchronize_rcu", "call_rcu", "kfree_rcu")


def people():
    lines = (demo.DEBUGFS / "persons/persons").read_text().splitlines()
    return [tuple(map(int, line.split())) for line in lines[1:]]


class Persons(demo.Case):
    name = "persons"

    def setUp(self):
        super().setUp()
        self.persons = self.files

    def quiet_readers(self):
        self.persons["readers"] = 0


class Defaults(Persons):
    def test_runs_as_the_spec_says_when_loaded(self):
        with module():
            self.assertEqual(self.persons["run"], 1)
            self.assertEqual(self.persons["size"], 100_000)
            self.assertEqual(self.persons["reclaim"], "synchronize_rcu")
            self.assertEqual(self.persons["readers_use"], "rcu")
            for nr, (contest, ms) in enumerate((("money_per_age", 1000), ("money_per_iq", 400),
                                                ("iq_minus_age", 700))):
                reader = Files("persons", f"reader{nr}")
                self.assertEqual(reader["cpu"], nr % g.NR_CPUS)
                self.assertEqual(reader["contest"], contest)
                self.assertEqual(reader["interval_us"], 1000 * ms)
            writer = Files("persons", "writer0")
            self.assertEqual(writer["cpu"], 3 % g.NR_CPUS)
            self.assertEqual(writer["interval_us"], 5000)
            wait_for(lambda: writer["turns"] > 20)
            for nr in range(3):
                reader = Files("persons", f"reader{nr}")
                wait_for(lambda reader=reader: reader["turns"] > 1)
                self.assertEqual(reader["persons"], 100_000)
        self.assertTrue(self.all_freed())

    def test_does_nothing_when_told_so(self):
        with module("run=0"):
            self.assertEqual(self.persons["run"], 0)
            self.assertEqual(self.persons["allocated"], 0)
            self.assertEqual(people(), [])

    def test_a_machine_with_fewer_cpus_says_that_they_are_shared(self):
        with module("run=0"):
            self.persons["writers"] = g.NR_CPUS
            said = self.log.lines("rcu_demo: persons: writer .* it shares CPU")
            # Readers want CPU 0 to 2, writers 3 and on.
            self.assertEqual(len(said), sum(3 + nr >= g.NR_CPUS for nr in range(g.NR_CPUS)))

    def test_pacing(self):
        with module("persons=100"):
            reader = Files("persons", "reader1")
            self.assertAlmostEqual(reader.rate("turns", 6), 2.5, delta=0.5)
            reader["interval_us"] = 3_600_000_000
            time.sleep(0.1)
            was = reader["turns"]
            time.sleep(1)
            self.assertLessEqual(reader["turns"] - was, 1)
            reader["interval_us"] = 10_000      # wakes it
            wait_for(lambda: reader["turns"] > was + 20)

    def test_threads_stay_where_they_are_put(self):
        with module("persons=100"):
            reader = Files("persons", "reader0")
            reader["interval_us"] = 1000
            for cpu in range(g.NR_CPUS):
                reader["cpu"] = cpu
                time.sleep(0.2)
                self.assertEqual(demo.cpu_of("persons_reader0"), cpu)

    @unittest.skipIf(g.NR_CPUS < 2, "needs a CPU that can go")
    def test_a_cpu_goes_and_comes_back(self):
        last = g.NR_CPUS - 1
        with module("persons=1000"):
            writer = Files("persons", "writer0")
            writer["cpu"] = last
            g.online(last, False)
            try:
                was = writer["turns"]
                wait_for(lambda: writer["turns"] > was + 5)
                self.assertEqual(writer.set("cpu", last), errno.ENODEV)
            finally:
                g.online(last, True)
            wait_for(lambda: demo.cpu_of("persons_writer0") == last)


class Winners(Persons):
    def test_are_those_of_the_people_in_the_list(self):
        with module("persons=5000"):
            self.persons["writers"] = 0
            for nr, best in enumerate((
                    lambda age, iq, money: money / age if age else -1,
                    lambda age, iq, money: money / iq if iq else -1,
                    lambda age, iq, money: iq - age)):
                reader = Files("persons", f"reader{nr}")
                reader["interval_us"] = 1000
                was = reader["turns"]
                wait_for(lambda reader=reader, was=was: reader["turns"] > was + 2)
                won = best(reader["winner_age"], reader["winner_iq"], reader["winner_money"])
                self.assertAlmostEqual(won, max(best(*person[1:]) for person in people()))
            zero_ages = sum(age == 0 for _, age, _, _ in people())
            self.assertEqual(Files("persons", "reader0")["skipped"], zero_ages)

    def test_there_is_none_among_nobody_who_takes_part(self):
        with module("persons=1"):
            self.persons["readers"] = 1
            reader, writer = Files("persons", "reader0"), Files("persons", "writer0")
            reader["interval_us"] = writer["interval_us"] = 0
            self.persons["reclaim"] = "kfree_rcu"

            def without_a_winner():
                """a person of age 0"""
                try:
                    return not reader["winner_age"]
                except OSError as error:
                    return error.errno == errno.ENODATA
            wait_for(without_a_winner, 60)

    def test_the_dump_has_each_number_once_while_writers_replace_them(self):
        with module("persons=3000"):
            Files("persons", "writer0")["interval_us"] = 0
            self.persons["reclaim"] = "call_rcu"
            for _ in range(10):
                dumped = people()
                self.assertEqual([person[0] for person in dumped], list(range(3000)))
                for _, age, iq, money in dumped:
                    self.assertTrue(age < 100 and iq < 256 and money < 1_000_000)


class Reclaiming(Persons):
    def test_each_way_frees_everything(self):
        with module("persons=1000"):
            writer = Files("persons", "writer0")
            writer["interval_us"] = 0
            for way in WAYS:
                self.persons["reclaim"] = way
                was = self.persons[f"updates_by_{way}"]
                wait_for(lambda way=way, was=was: self.persons[f"updates_by_{way}"] > was + 20)
            self.persons["run"] = 0
            self.assertEqual(self.persons["allocated"], self.persons["freed"])
            self.assertEqual(self.persons["waiting"], 0)
            self.assertEqual(people(), [])
            self.persons["run"] = 1
            self.assertEqual(len(people()), 1000)
        self.assertTrue(self.all_freed())

    def test_grace_periods_are_timed(self):
        with module("persons=1000"):
            writer = Files("persons", "writer0")
            for way in WAYS:
                if way != "synchronize_rcu":        # there may be one already
                    with self.assertRaises(OSError) as raised:
                        _ = self.persons[f"grace_period_mean_ns_of_{way}"]
                    self.assertEqual(raised.exception.errno, errno.ENODATA)
                self.persons["reclaim"] = way

                def timed(way=way):
                    try:
                        return self.persons[f"grace_period_mean_ns_of_{way}"] > 1000
                    except OSError:
                        return False
                wait_for(timed)
                mean = self.persons[f"grace_period_mean_ns_of_{way}"]
                self.assertGreaterEqual(self.persons[f"grace_period_longest_ns_of_{way}"], mean)
            self.assertGreater(writer["turns"], 0)
            histogram = (demo.DEBUGFS / "persons/grace_periods").read_text()
            for way in WAYS:
                self.assertIn(f"\n{way} ", histogram)

    def test_the_backlog_is_bounded(self):
        with module("persons=1000"):
            self.quiet_readers()
            self.persons["backlog_max"] = 500
            Files("persons", "writer0")["interval_us"] = 0
            for way in ("call_rcu", "kfree_rcu"):
                self.persons["reclaim"] = way
                throttled = self.persons["throttled"]
                for _ in range(50):
                    self.assertLessEqual(self.persons["waiting"], 501)
                    time.sleep(0.01)
                wait_for(lambda throttled=throttled: self.persons["throttled"] > throttled)

    def test_everything_changes_at_once(self):
        """Sizes, ways, protections, threads, while readers and writers run flat out."""
        random.seed(5)
        with module("persons=1000"):
            self.persons["writers"] = 2
            for name in ("reader0", "reader1", "reader2", "writer0", "writer1"):
                Files("persons", name)["interval_us"] = 0
            protections = itertools.cycle(("rcu", "rwlock", "spinlock"))
            until = time.monotonic() + 8
            while time.monotonic() < until:
                self.persons["reclaim"] = random.choice(WAYS)
                self.persons["readers_use"] = next(protections)
                self.persons["size"] = random.choice((1, 2, 511, 512, 513, 3000))
                self.persons["writers"] = random.choice((1, 2, 3))
                Files("persons", "writer0")["interval_us"] = random.choice((0, 100))
                self.assertEqual(len(people()), self.persons["size"])
        self.assertTrue(self.all_freed())

    def test_unloading_in_the_middle_of_everything(self):
        for way in WAYS:
            with module("persons=20000"):
                self.persons["reclaim"] = way
                for name in ("reader0", "reader1", "reader2", "writer0"):
                    Files("persons", name)["interval_us"] = 0
                time.sleep(0.5)
                began = time.monotonic()
            self.assertLess(time.monotonic() - began, 10)
            self.assertTrue(self.all_freed())


class BadInput(Persons):
    def test_values(self):
        with module("persons=100"):
            p, reader = self.persons, Files("persons", "reader0")
            self.refused(p, "size", 0, errno.ERANGE, "size 0: must be 1 to 10000000")
            self.refused(p, "size", 10_000_001, errno.ERANGE, "size 10000001: must be")
            self.refused(p, "size", -1, errno.EINVAL, "size: not a number")
            self.refused(p, "size", "many", errno.EINVAL, "size: not a number")
            self.refused(p, "size", b"1\0002", errno.EINVAL, "size: holds a zero byte")
            self.refused(p, "size", 1 << 64, errno.ERANGE, "size: not a number")
            self.refused(p, "reclaim", "never", errno.EINVAL,
                         "reclaim: must be synchronize_rcu, call_rcu or kfree_rcu")
            self.refused(p, "readers_use", "mutex", errno.EINVAL,
                         "readers_use: must be rcu, rwlock or spinlock")
            self.refused(p, "readers", 65, errno.ERANGE, "readers 65: must be 0 to 64")
            self.refused(p, "run", 2, errno.ERANGE, "run 2: must be 0 to 1")
            self.refused(reader, "cpu", 4096, errno.EINVAL, "cpu 4096: there is no such CPU")
            self.refused(reader, "cpu", -1, errno.EINVAL, "cpu: not a number")
            self.refused(reader, "interval_us", -1, errno.EINVAL, "interval_us: not a number")
            self.refused(reader, "interval_us", 3_600_000_001, errno.ERANGE, "interval_us 3600000001: ")
            self.refused(reader, "contest", "beauty", errno.EINVAL, "contest: must be")

    def test_no_long_walks_under_a_lock(self):
        """Who waits for one would do so with preemption off for too long."""
        with module("persons=100"):
            p = self.persons
            p["readers_use"] = "spinlock"
            self.refused(p, "size", 1_000_001, errno.ERANGE,
                         "1000001 persons: readers can use a lock for 1000000 at most")
            p["readers_use"] = "rcu"
            p["run"] = 0
            p["size"] = 1_000_001
            for lock in "rwlock", "spinlock":
                self.refused(p, "readers_use", lock, errno.ERANGE,
                         "1000001 persons: readers can use a lock for 1000000 at most")

    def test_counters_made_writable(self):
        with module("persons=100"):
            (self.persons.path / "throttled").chmod(0o644)
            self.refused(self.persons, "throttled", 1, errno.EIO, "throttled: cannot be set")

    def test_more_people_than_memory(self):
        with module("persons=100"):
            free_kib = next(int(line.split()[1]) for line in open("/proc/meminfo", encoding="utf-8")
                            if line.startswith("MemAvailable"))
            if free_kib * 1024 > 10_000_000 * 72:
                self.skipTest("ten million fit into this machine")
            self.refused(self.persons, "size", 10_000_000, errno.ENOMEM,
                         "size 10000000: not enough memory")
            self.assertEqual(len(people()), 100)
            wait_for(lambda: Files("persons", "writer0")["turns"] > 3)

    def test_parameters(self):
        for bad in ("persons=0", "persons=10000001", "persons=x", "run=maybe"):
            done = g.run("insmod", g.HERE / "rcu_demo.ko", bad, check=False)
            self.assertNotEqual(done.returncode, 0, bad)
            self.assertFalse(g.loaded("rcu_demo"), bad)
        self.assertEqual(len(self.log.lines("rcu_demo: refused: size")), 2)
