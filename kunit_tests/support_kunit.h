/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share: a known state before and after each test, NMIs from several
 * CPUs, CPUs that are blocked, the ledger. All process context; handlers and threads
 * that a failed test leaves behind are taken away by kt_exit().
 */
#ifndef SUPPORT_KUNIT_H
#define SUPPORT_KUNIT_H

#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/types.h>

#include "nmiprof.h"
#include "nmiprof_core.h"

/* One CPU's ledger, or a sum; skipped and lost for all reasons together. */
struct kt_ledger {
	shim_u64 due, sent, coalesced, skipped;
	shim_u64 handled, outstanding, lost, late, foreign, overflows;
	shim_u64 samples, binned, user, idle, no_buffer, out_of_range;
	shim_u64 perf_due, perf_delivered, perf_excluded, perf_throttled;
};

int kt_ledger(unsigned int cpu, struct kt_ledger *l);
/* The sum over all CPUs; each one's terms are of one moment. */
int kt_ledger_total(struct kt_ledger *l);
/* The first equation that does not hold, or NULL. */
const char *kt_imbalance(const struct kt_ledger *l);
/* Samples that are in a buffer, or were. */
static inline shim_u64 kt_in_buffers(const struct kt_ledger *l)
{
	return l->binned + l->user + l->idle + l->out_of_range;
}

/* Each CPU's ledger adds up. */
/* lint: MACRO_ARG_REUSE: a test is named, not computed */
#define KT_EXPECT_BALANCED(test)                                                             \
	do {                                                                                 \
		struct kt_ledger _l;                                                         \
		unsigned int _cpu;                                                           \
											     \
		for_each_possible_cpu(_cpu) {                                                \
			KUNIT_ASSERT_EQ(test, kt_ledger(_cpu, &_l), 0);                      \
			KUNIT_EXPECT_STREQ_MSG(test, kt_imbalance(&_l) ?: "", "", "CPU %u",  \
					       _cpu);                                        \
		}                                                                            \
	} while (0)

/* For struct kunit_suite: default settings, off, nothing outstanding; on CPU 0. */
int kt_init(struct kunit *test);
void kt_exit(struct kunit *test);

/* Settings; CPUs are held meanwhile. 0 or -errno. @cpus: a list, NULL or "all". */
int kt_rate(shim_u64 hz);
int kt_shape(shim_u64 granularity, bool shared);
int kt_cpus(const char *list);
int kt_enable(void);
void kt_disable(void);

/* By a timer of this CPU: those of the timer wheel may wait for one that is blocked. */
void kt_sleep(unsigned int ms);
/* Until nothing is outstanding; false: it took more than a second. */
bool kt_quiet(void);
/* Asks until one more tick of @cpu has been handled; false: a second went by. */
bool kt_tick(unsigned int cpu);

/* Until @cpu has handled ticks that nobody asked for; false: two seconds went by. */
bool kt_sampled(unsigned int cpu);

/* nmiprof_register(), taken away at the end of the test if it is still there. */
int kt_handler_add(const char *name, nmiprof_handler_fn fn, void *context);
int kt_handler_remove(int number);

/* A thread on one CPU, or on any; fn(arg) again and again until the end. */
#define KT_ANY_CPU UINT_MAX
int kt_thread(unsigned int cpu, void (*fn)(void *arg), void *arg);
/* Threads that ask for samples of all CPUs, on two of them; @us: pause between rounds. */
int kt_fire(unsigned int us);
/* Ends all threads; kt_exit() does, too. */
void kt_threads_stop(void);

/* @cpu spins with interrupts off, until kt_unblock() or for two seconds. */
int kt_block(unsigned int cpu);
void kt_unblock(void);
/* The address is in the code that spins. */
bool kt_is_spin(unsigned long address);

/* Calls fn(arg) in an NMI on @cpu. 0, or -ETIMEDOUT. */
int kt_in_nmi(unsigned int cpu, void (*fn)(void *arg), void *arg);
/* The same on all CPUs that are online, in all NMIs at the same time. */
int kt_in_nmis(void (*fn)(void *arg), void *arg);

/*
 * Busy waiting for kt_tell(flag), in any context; false: @ms went by. What was written
 * before the one is seen after the other.
 */
bool kt_spin_until(const int *flag, unsigned int ms);
void kt_tell(int *flag);

/* Two kinds of grace period, as parameters of tests. */
struct kt_grace {
	const char *name;
	bool expedited;
};

/* From now on, until the end of the test. */
void kt_grace_begin(struct kunit *test, const struct kt_grace *grace);

/* Generates them, for KUNIT_CASE_PARAM(). */
const void *kt_grace_gen_params(const void *prev, char *desc);

/* One write(2) or read(2) of a file; bytes, or -errno. kt_get() ends the text with 0. */
ssize_t kt_put(const char *path, const char *bytes, size_t count);
ssize_t kt_get(const char *path, char *text, size_t room);

/* A drain or a look: its own sums, checked against its rows. -EINVAL: they differ. */
struct kt_report {
	shim_u64 samples, binned, irqs_off;
	shim_u64 spinning_irqs_off; /* in kt_is_spin() */
};

int kt_report(int drain, struct kt_report *sums);

#endif /* SUPPORT_KUNIT_H */
