// SPDX-License-Identifier: GPL-2.0-only
/* CPUs that come and go, by the kernel's own remove_cpu() and add_cpu(). */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/module.h>

#include "support_kunit.h"

static const unsigned int cpus[] = { 1, 2, 3 };

static void describe_cpu(const unsigned int *cpu, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "cpu%u", *cpu);
}

KUNIT_ARRAY_PARAM(cpu, cpus, describe_cpu);

static bool present(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_present(cpu);
}

static void exit_with_all_cpus(struct kunit *test)
{
	unsigned int cpu;

	for_each_present_cpu(cpu)
		if (!cpu_online(cpu))
			add_cpu(cpu);
	kt_exit(test);
}

/* @cpu is gone: nothing is sent there, nothing falls due, nothing is outstanding. */
static void expect_left_alone(struct kunit *test, unsigned int cpu)
{
	struct kt_ledger was, is;

	KUNIT_EXPECT_EQ(test, nmiprof_sample(cpu), -ENODEV);
	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was), 0);
	kt_sleep(20);
	KUNIT_EXPECT_EQ(test, nmiprof_sample(cpu), -ENODEV);
	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
	KUNIT_EXPECT_EQ(test, was.outstanding, 0UL);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
	KUNIT_EXPECT_EQ(test, is.sent, was.sent);
	KUNIT_EXPECT_EQ(test, is.handled, was.handled);
}

static void expect_sampled(struct kunit *test, unsigned int cpu)
{
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was), 0);
	KUNIT_EXPECT_TRUE_MSG(test, kt_sampled(cpu), "CPU %u", cpu);
	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
	KUNIT_EXPECT_EQ(test, is.no_buffer, was.no_buffer);
}

static void a_cpu_goes_and_comes_back(struct kunit *test)
{
	const unsigned int cpu = *(const unsigned int *)test->param_value;
	unsigned int other;
	struct kt_ledger was, is;

	if (!present(cpu))
		kunit_skip(test, "no such CPU");
	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(1000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	kt_sleep(20);
	KUNIT_ASSERT_EQ(test, remove_cpu(cpu), 0);
	KT_EXPECT_BALANCED(test);
	expect_left_alone(test, cpu);
	for_each_online_cpu(other)
		expect_sampled(test, other);
	KUNIT_ASSERT_EQ(test, add_cpu(cpu), 0);
	for_each_online_cpu(other)
		expect_sampled(test, other);
	KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
	KUNIT_EXPECT_EQ(test, is.lost, was.lost);
	KT_EXPECT_BALANCED(test);
}

static void fire_at_two(void *unused)
{
	int i;

	for (i = 0; i < 50; i++)
		nmiprof_sample(2);
}

/* The last request may be on its way when the CPU goes. */
static void with_requests_on_their_way(struct kunit *test)
{
	struct kt_ledger l;
	int i;

	if (!present(2))
		kunit_skip(test, "no such CPU");
	KUNIT_ASSERT_EQ(test, kt_rate(5000), 0);
	KUNIT_ASSERT_EQ(test, kt_thread(0, fire_at_two, NULL), 0);
	KUNIT_ASSERT_EQ(test, kt_thread(1, fire_at_two, NULL), 0);
	for (i = 0; i < 3; i++) {
		if (i == 1)
			KUNIT_ASSERT_EQ(test, kt_enable(), 0);
		KUNIT_ASSERT_EQ(test, remove_cpu(2), 0);
		expect_left_alone(test, 2);
		KT_EXPECT_BALANCED(test);
		KUNIT_ASSERT_EQ(test, add_cpu(2), 0);
		KUNIT_EXPECT_TRUE(test, kt_tick(2));
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_ASSERT_EQ(test, kt_ledger(2, &l), 0);
	KUNIT_EXPECT_EQ(test, l.outstanding, 0UL);
	KT_EXPECT_BALANCED(test);
}

static void down_to_one_and_back(struct kunit *test)
{
	unsigned int cpu;

	KUNIT_ASSERT_EQ(test, kt_rate(500), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	for_each_present_cpu(cpu)
		if (cpu)
			KUNIT_ASSERT_EQ(test, remove_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, num_online_cpus(), 1U);
	expect_sampled(test, 0);
	KT_EXPECT_BALANCED(test);
	for_each_present_cpu(cpu)
		if (cpu)
			KUNIT_ASSERT_EQ(test, add_cpu(cpu), 0);
	for_each_online_cpu(cpu)
		expect_sampled(test, cpu);
	KT_EXPECT_BALANCED(test);
}

static void a_chosen_cpu_that_is_offline(struct kunit *test)
{
	if (!present(2))
		kunit_skip(test, "no such CPU");
	KUNIT_ASSERT_EQ(test, kt_cpus("1-2"), 0);
	KUNIT_ASSERT_EQ(test, remove_cpu(2), 0);
	KUNIT_EXPECT_EQ(test, kt_cpus("2"), -ENODEV);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	expect_left_alone(test, 2);
	expect_sampled(test, 1);
	KUNIT_EXPECT_EQ(test, kt_rate(500), 0);
	KUNIT_ASSERT_EQ(test, add_cpu(2), 0);
	expect_sampled(test, 2);
	KT_EXPECT_BALANCED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(a_cpu_goes_and_comes_back, cpu_gen_params),
	KUNIT_CASE(with_requests_on_their_way),
	KUNIT_CASE(down_to_one_and_back),
	KUNIT_CASE(a_chosen_cpu_that_is_offline),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_hotplug",
	.init = kt_init,
	.exit = exit_with_all_cpus,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, CPU hotplug");
MODULE_LICENSE("GPL");
