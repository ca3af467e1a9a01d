// SPDX-License-Identifier: GPL-2.0-only
/* Deadlines that several CPUs serve, and who takes over when a sender is blocked. */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include "glue_kunit.h"
#include "shim/clock.h"
#include "support_kunit.h"

/* --- One deadline, served by all CPUs --------------------------------------- */

static struct kt_deadline *deadline;
static atomic_long_t taken, turns, intruders;
static int owners;

static void serve(void *unused)
{
	preempt_disable();
	if (kt_deadline_try_begin(deadline)) {
		/* Nobody else is in here, so plain accesses are enough. */
		if (READ_ONCE(owners))
			atomic_long_inc(&intruders);
		WRITE_ONCE(owners, 1);
		atomic_long_add(kt_deadline_take_due(deadline, shim_now_ns()), &taken);
		atomic_long_inc(&turns);
		WRITE_ONCE(owners, 0);
		kt_deadline_end(deadline);
	}
	preempt_enable();
}

static void in_turn(void (*fn)(void))
{
	preempt_disable();
	while (!kt_deadline_try_begin(deadline))
		cpu_relax();
	fn();
	kt_deadline_end(deadline);
	preempt_enable();
}

enum { PERIOD_NS = 100000 };

static void start(void)
{
	kt_deadline_start(deadline, shim_now_ns(), PERIOD_NS);
}

static void stop(void)
{
	kt_deadline_stop(deadline);
}

static void each_period_is_taken_once(struct kunit *test)
{
	unsigned int cpu;
	shim_u64 began, gone;
	long due;

	atomic_long_set(&taken, 0);
	atomic_long_set(&turns, 0);
	atomic_long_set(&intruders, 0);
	deadline = kt_deadline_new();
	KUNIT_ASSERT_NOT_NULL(test, deadline);
	in_turn(stop);
	for_each_online_cpu(cpu)
		KUNIT_ASSERT_EQ(test, kt_thread(cpu, serve, NULL), 0);
	began = shim_now_ns();
	in_turn(start);
	kt_sleep(200);
	kt_threads_stop();
	gone = shim_now_ns() - began;
	due = kt_deadline_due(deadline);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&intruders), 0L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&taken), due);
	KUNIT_EXPECT_GT(test, atomic_long_read(&turns), due / 100);
	KUNIT_EXPECT_LE(test, (shim_u64)due, gone / PERIOD_NS + 1);
	KUNIT_EXPECT_GE(test, (shim_u64)due, 200 * NSEC_PER_MSEC / PERIOD_NS);
	in_turn(stop);
	KUNIT_EXPECT_EQ(test, (long)kt_deadline_due(deadline), due);
	kt_free(deadline);
}

/* --- Blocked senders -------------------------------------------------------- */

static const struct blocked {
	const char *name, *sampled;
	unsigned int cpus[4]; /* to block; 0 ends: CPU 0 runs the test's clock */
} blocked[] = {
	{ "one", "all", { 1 } },
	{ "last_of_the_ring", "all", { 3 } },
	{ "two_in_a_row", "all", { 1, 2 } },
	{ "two_apart", "all", { 1, 3 } },
	{ "all_but_one", "all", { 1, 2, 3 } },
	{ "ring_with_backup", "1-2", { 1, 2 } },
	{ "ring_of_one", "2", { 2 } },
};

static void describe_blocked(const struct blocked *b, char *desc)
{
	strscpy(desc, b->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(blocked, blocked, describe_blocked);

static void another_one_takes_over(struct kunit *test)
{
	const struct blocked *b = test->param_value;
	static struct kt_ledger was[NR_CPUS];
	static bool in_ring[NR_CPUS];
	struct kt_ledger is;
	unsigned int cpu;
	int i;

	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");
	KUNIT_ASSERT_EQ(test, kt_rate(250), 0);
	KUNIT_ASSERT_EQ(test, kt_cpus(b->sampled), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	/* Those that have periods. */
	kt_sleep(20);
	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
		in_ring[cpu] = is.due > 0 && (!strcmp(b->sampled, "all") || cpu == 2 ||
					      (cpu == 1 && b->cpus[0] == 1));
	}
	for (i = 0; b->cpus[i]; i++)
		KUNIT_ASSERT_EQ(test, kt_block(b->cpus[i]), 0);
	for_each_online_cpu(cpu)
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was[cpu]), 0);
	kt_sleep(120);
	for_each_online_cpu(cpu) {
		if (!in_ring[cpu])
			continue;
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
		/* 30 are due; an emulator's stalls may cost some of them. */
		KUNIT_EXPECT_GE_MSG(test, is.due - was[cpu].due, 25UL, "CPU %u", cpu);
		KUNIT_EXPECT_GE_MSG(test, is.handled - was[cpu].handled, 3UL, "CPU %u", cpu);
	}
	kt_unblock();
	KT_EXPECT_BALANCED(test);
}

static void released_cpus_serve_again(struct kunit *test)
{
	struct kt_ledger was, is;
	unsigned int cpu;

	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");
	KUNIT_ASSERT_EQ(test, kt_rate(500), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	for (cpu = 1; cpu < 4; cpu++)
		KUNIT_ASSERT_EQ(test, kt_block(cpu), 0);
	kt_sleep(30);
	kt_unblock();
	for (cpu = 0; cpu < 4; cpu++) {
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was), 0);
		KUNIT_EXPECT_TRUE(test, kt_sampled(cpu));
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
		KUNIT_EXPECT_EQ(test, is.lost, was.lost);
	}
	KT_EXPECT_BALANCED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(each_period_is_taken_once),
	KUNIT_CASE_PARAM(another_one_takes_over, blocked_gen_params),
	KUNIT_CASE(released_cpus_serve_again),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_deadline",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, deadlines and take-over");
MODULE_LICENSE("GPL");
