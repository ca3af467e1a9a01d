# SPDX-License-Identifier: GPL-2.0-only
"""Misuse as docs/rcu/misuse.md lists it: a debug kernel reports exactly that, and the
machine goes on.

For a kernel of scripts/test-kernel with KASAN and lockdep. What is in Together may run in
one boot; each of the others turns lockdep off and needs a machine of its own.
"""

import ctypes
import mmap
import os
import re
import time
import unittest
from pathlib import Path

import nmiprof_guest as g
from rcu_demo_guest import Files, wait_for

MISUSE = Path("/sys/module/rcu_misuse/parameters/misuse")

SLEEPS = r"BUG: sleeping function called from invalid context"
UNBALANCED = r"WARNING: bad unlock balance detected!"


class Misuse(unittest.TestCase):
    modules = ("rcu_misuse",)

    def setUp(self):
        on = re.search(r"debug_locks: +(\d)", Path("/proc/lockdep_stats").read_text())
        self.assertEqual(on[1], "1", "lockdep is off: another report came before")
        self.log = g.Log()
        for name in self.modules:
            g.load(name)

    def tearDown(self):
        for name in reversed(self.modules):
            g.unload(name)
        self.machine_goes_on()

    def machine_goes_on(self):
        """Each CPU runs programs; grace periods end, and everything is freed."""
        for cpu in range(g.NR_CPUS):
            g.run("taskset", "-c", str(cpu), "true")
        with g.module("rcu_demo", "persons=1000"):
            for way in ("synchronize_rcu", "call_rcu", "kfree_rcu"):
                Files("persons")["reclaim"] = way
                was = Files("persons")[f"updates_by_{way}"]
                wait_for(lambda way=way, was=was: Files("persons")[f"updates_by_{way}"] > was + 5)
        lines = self.log.lines(rf"{g.REPORT}|as many freed")
        self.assertRegex(" ".join(lines), r"persons: \d+ objects allocated, as many freed")
        self.assertEqual(len(lines), 1, lines)

    def reported(self, *patterns):
        """Since the last look: each of these, and nothing else."""
        lines = self.log.lines("|".join((g.REPORT, *patterns)))
        for pattern in patterns:
            self.assertTrue([line for line in lines if re.search(pattern, line)],
                            f"{pattern} is not in {lines}")
        self.assertEqual([line for line in lines if not re.search("|".join(patterns) or "$^", line)], [])

    def is_reported(self, misuse, *patterns):
        # One report of a function that sleeps in a second: more are held back.
        time.sleep(1.1)
        self.log.lines()
        MISUSE.write_text(misuse)
        self.reported(*patterns)


class Together(Misuse):
    def test_per_cpu_data_with_preemption_on(self):
        self.is_reported("percpu",
                         r"BUG: using smp_processor_id\(\) in preemptible",
                         r"BUG: using __this_cpu_add\(\) in preemptible")

    def test_sleeping_with_preemption_off(self):
        self.is_reported("sleep_with_preemption_off", SLEEPS, "BUG: scheduling while atomic")

    def test_sleeping_with_interrupts_off(self):
        self.is_reported("sleep_with_interrupts_off", SLEEPS)

    def test_rescheduling_with_interrupts_off(self):
        """cond_resched() is reported. schedule() is not: it turns interrupts on."""
        log = g.Log()
        self.is_reported("reschedule_with_interrupts_off", SLEEPS)
        self.assertEqual(len(log.lines(r"rcu_misuse: behind schedule\(\) interrupts are on")), 1)

    def test_an_allocation_that_may_sleep_under_a_spinlock(self):
        self.is_reported("allocate_in_spinlock", SLEEPS)

    def test_rcu_dereference_outside_a_read_section(self):
        self.is_reported("dereference_outside", "WARNING: suspicious RCU usage")

    def test_call_rcu_twice(self):
        self.is_reported("call_rcu_twice", r"ODEBUG: (?:activate|activated) active .* object type: rcu_head",
                         "WARNING: .* debug_print_object", r"call_rcu\w*\(\): Double-freed CB")

    def test_nested_fpu_sections(self):
        self.is_reported("fpu_nested", r"WARNING: .* at \S*arch/x86/kernel/fpu/core\.c:\d+ "
                                       r"(?:kernel_fpu_begin_mask|kernel_fpu_end|irq_fpu_usable)")

    def test_vector_registers_outside_an_fpu_section(self):
        """Nobody reports it: a program's register changes in the middle of a system call."""
        self.assertEqual(changed_registers("fpu_guarded"), 0)
        self.assertGreater(changed_registers("fpu_unguarded"), 0)
        self.reported()


# int f(const void *before, int fd, const void *text, size_t length, void *after)
WRITE_IN_MACHINE_CODE = bytes.fromhex("".join((
    "f3440f6f3f",       # movdqu (%rdi),%xmm15
    "89f7",             # mov %esi,%edi
    "4889d6",           # mov %rdx,%rsi
    "4889ca",           # mov %rcx,%rdx
    "b801000000",       # mov $1,%eax
    "0f05",             # syscall
    "f3450f7f38",       # movdqu %xmm15,(%r8)
    "c3",               # ret
)))


def changed_registers(misuse, times=1000):
    """Of so many writes to the module's file, those that changed the writer's %xmm15."""
    before, after = ctypes.create_string_buffer(b"0123456789abcdef", 16), ctypes.create_string_buffer(16)
    text = misuse.encode()
    with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as code:
        code.write(WRITE_IN_MACHINE_CODE)
        place = ctypes.c_char.from_buffer(code)
        call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p,
                                ctypes.c_size_t, ctypes.c_char_p)(ctypes.addressof(place))
        changed = 0
        fd = os.open(MISUSE, os.O_WRONLY)
        for _ in range(times):
            if call(before, fd, text, len(text), after) != len(text):
                raise AssertionError(f"{misuse}: write failed")
            changed += after.raw != before.raw
        os.close(fd)
        del call, place
    return changed


class SleepInReadSection(Misuse):
    def test_sleeping_in_a_read_section(self):
        self.is_reported("sleep_in_read_section", SLEEPS, r"\[ BUG: Invalid wait context \]",
                         "Voluntary context switch within RCU read-side critical section!",
                         "WARNING: .* rcu_note_context_switch")


class UnlockByAnother(Misuse):
    def test_a_mutex_released_by_a_task_that_did_not_take_it(self):
        self.is_reported("unlock_by_another", UNBALANCED)


class UnlockTwice(Misuse):
    def test_a_spinlock_released_twice(self):
        self.is_reported("unlock_twice", UNBALANCED)


class PreemptionTwice(Misuse):
    def test_preemption_enabled_more_often_than_disabled(self):
        self.is_reported("enable_preemption_twice",
                         r"DEBUG_LOCKS_WARN_ON\(val > preempt_count\(\)\)",
                         "WARNING: .* preempt_count_sub")


class RacyBuffer(Misuse):
    modules = ("nmiprof",)

    def test_nmis_count_into_a_buffer_that_was_freed(self):
        with g.module("rcu_demo", "run=0", "allow_racy=1"):
            ways = Files("buffer_ways")
            ways["nmi_hold_ns"] = 50_000
            ways["way"] = "racy"
            ways["run"] = 1
            Files("buffer_ways", "writer0")["interval_us"] = 0
            Files("buffer_ways", "sampler0")["interval_us"] = 200
            wait_for(lambda: ways["seen_freed_by_racy"] and ways["lost_no_buffer"], 120)
            # What was lost has a name as soon as the way is another; the rest is right.
            ways["way"] = "rcu"
            lost = ways["lost_raced"], ways["lost_no_buffer"]
            self.assertGreater(lost[0], 0)
            self.assertEqual(ways["unaccounted"], 0)
            ways["run"] = 0
            self.assertEqual((ways["lost_raced"], ways["lost_no_buffer"]), lost)
            self.assertEqual(ways["samples"],
                             ways["drained"] + sum(lost) + ways["lost_lock_held"])
            self.assertEqual(ways["seen_freed"], 0)
        self.reported(r"BUG: KASAN: \S*use-after-free in \S*rcu_demo\S*buffer_ways")
