// SPDX-License-Identifier: GPL-2.0-only
/* Live swap: no sample is lost or counted twice while buffers change under NMIs. */
#include <linux/delay.h>
#include <linux/module.h>

#include "support_kunit.h"

static const struct swap_param {
	const char *name;
	unsigned int hz;
	bool shared;
	struct kt_grace grace;
} swap_params[] = {
	{ "1kHz", 1000, false, { "normal", false } },
	{ "10kHz", 10000, false, { "normal", false } },
	{ "10kHz_exp", 10000, false, { "expedited", true } },
	{ "5kHz_shared", 5000, true, { "expedited", true } },
};

static void describe_swap(const struct swap_param *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(swap, swap_params, describe_swap);

/* In text of the kernel: all CPUs count into the same few bins. */
static void stay_in_kernel_text(void *unused)
{
	/* lint: USLEEP_RANGE: it is to be busy */
	udelay(500);
}

static void each_sample_is_drained_once(struct kunit *test)
{
	const struct swap_param *p = test->param_value;
	struct kt_ledger was, is;
	struct kt_report got;
	shim_u64 drained = 0;
	unsigned int cpu;
	int i;

	KUNIT_ASSERT_EQ(test, kt_rate(p->hz), 0);
	KUNIT_ASSERT_EQ(test, kt_shape(p->shared ? 65536 : 4096, p->shared), 0);
	if (p->shared)
		for_each_online_cpu(cpu)
			KUNIT_ASSERT_EQ(test, kt_thread(cpu, stay_in_kernel_text, NULL), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_fire(200), 0);
	kt_grace_begin(test, &p->grace);
	for (i = 0; i < 15; i++) {
		KUNIT_EXPECT_EQ(test, kt_report(1, &got), 0);
		drained += got.samples;
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_EXPECT_EQ(test, kt_report(1, &got), 0);
	drained += got.samples;
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_GT(test, drained, 100UL);
	KUNIT_EXPECT_EQ(test, drained, kt_in_buffers(&is) - kt_in_buffers(&was));
	KUNIT_EXPECT_EQ(test, is.samples - was.samples, is.handled - was.handled);
	KUNIT_EXPECT_EQ(test, is.no_buffer, was.no_buffer);
	KT_EXPECT_BALANCED(test);
}

static atomic_long_t drained_by_all;
static atomic_t drains, failures;

static void drain(void *unused)
{
	struct kt_report got;

	if (kt_report(1, &got)) {
		atomic_inc(&failures);
		return;
	}
	atomic_inc(&drains);
	atomic_long_add(got.samples, &drained_by_all);
}

static void several_drain_at_once(struct kunit *test)
{
	struct kt_ledger was, is;
	int i;

	atomic_long_set(&drained_by_all, 0);
	atomic_set(&drains, 0);
	atomic_set(&failures, 0);
	KUNIT_ASSERT_EQ(test, kt_rate(5000), 0);
	KUNIT_ASSERT_EQ(test, kt_shape(4096, false), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, kt_thread(KT_ANY_CPU, drain, NULL), 0);
	kt_sleep(400);
	kt_threads_stop();
	kt_disable();
	drain(NULL);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&drains), 3);
	KUNIT_EXPECT_GT(test, atomic_long_read(&drained_by_all), 0L);
	KUNIT_EXPECT_EQ(test, (shim_u64)atomic_long_read(&drained_by_all),
			kt_in_buffers(&is) - kt_in_buffers(&was));
	KT_EXPECT_BALANCED(test);
}

static void a_look_takes_nothing_away(struct kunit *test)
{
	struct kt_ledger was, is;
	struct kt_report look, got;
	shim_u64 before = 0;
	int i;

	KUNIT_ASSERT_EQ(test, kt_shape(4096, false), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_fire(100), 0);
	for (i = 0; i < 8; i++) {
		kt_sleep(10);
		KUNIT_EXPECT_EQ(test, kt_report(0, &look), 0);
		KUNIT_EXPECT_GE(test, look.samples, before);
		before = look.samples;
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_EXPECT_EQ(test, kt_report(1, &got), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_GT(test, before, 0UL);
	KUNIT_EXPECT_GE(test, got.samples, before);
	KUNIT_EXPECT_EQ(test, got.samples, kt_in_buffers(&is) - kt_in_buffers(&was));
}

/* Buffers of another shape: what was not drained is a loss with a name. */
static void a_change_of_shape_discards_by_name(struct kunit *test)
{
	static const shim_u64 sizes[] = { 65536, 256, 4096, 1024, 65536, 512 };
	const shim_u64 discarded = nmiprof_core_discarded();
	struct kt_ledger was, is;
	struct kt_report got;
	int i;

	KUNIT_ASSERT_EQ(test, kt_rate(5000), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_fire(100), 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ(test, kt_shape(sizes[i], i & 1), 0);
		kt_sleep(20);
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_EXPECT_EQ(test, kt_report(1, &got), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_GT(test, nmiprof_core_discarded(), discarded);
	KUNIT_EXPECT_EQ(test, is.binned - was.binned,
			got.binned + nmiprof_core_discarded() - discarded);
	KUNIT_EXPECT_EQ(test, is.no_buffer, was.no_buffer);
	KT_EXPECT_BALANCED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(each_sample_is_drained_once, swap_gen_params),
	KUNIT_CASE(several_drain_at_once),
	KUNIT_CASE(a_look_takes_nothing_away),
	KUNIT_CASE(a_change_of_shape_discards_by_name),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_swap",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, swaps of the live buffer");
MODULE_LICENSE("GPL");
