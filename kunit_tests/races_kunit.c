// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges and sizes that change in mid-NMI: a small buffer in the place of a large one
 * must never be counted into with the large one's range (KASAN would see it), and every
 * sample stays accounted for.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include "glue_kunit.h"
#include "support_kunit.h"

#define BASE 0xffffffff81000000UL
#define LARGE 4096UL

static DEFINE_PER_CPU(unsigned long, counted);
static DEFINE_PER_CPU(unsigned long, uncounted);

/* The last and the first byte of the largest buffer, and one beyond. */
static unsigned int count_live(void *unused, const struct nmiprof_nmi *nmi)
{
	static const shim_u64 ips[] = { BASE + LARGE * 16 - 1, BASE, BASE + LARGE * 16 };
	const unsigned int cpu = smp_processor_id();
	int i;

	for (i = 0; i < ARRAY_SIZE(ips); i++)
		if (kt_live_count(cpu, ips[i], nmi->how & NMIPROF_IRQS_OFF))
			this_cpu_inc(counted);
		else
			this_cpu_inc(uncounted);
	return 0;
}

/* Samples in a slab that no NMI is in, which is freed. */
static shim_u64 take(struct kt_slab *slab, shim_u64 nbins)
{
	struct kt_slab_sums sums;
	shim_u64 at, in_bins = 0;

	if (!slab)
		return 0;
	for (at = 0; at < nbins; at++)
		in_bins += kt_slab_bin(slab, at, 0) + kt_slab_bin(slab, at, 1);
	kt_slab_read(slab, &sums);
	kt_free(slab);
	return in_bins + sums.outside + sums.out_of_range;
}

static void a_small_slab_replaces_a_large_one(struct kunit *test)
{
	static const shim_u64 sizes[] = { LARGE, 1, 0, LARGE, 16, 1024 };
	const struct kt_grace *grace = test->param_value;
	static shim_u64 nbins[NR_CPUS];
	shim_u64 found = 0, expected = 0, missed = 0;
	unsigned int cpu, round;
	int number;

	for_each_possible_cpu(cpu)
		per_cpu(counted, cpu) = per_cpu(uncounted, cpu) = nbins[cpu] = 0;
	number = kt_handler_add("count_live", count_live, NULL);
	KUNIT_ASSERT_GT(test, number, 0);
	KUNIT_ASSERT_EQ(test, kt_fire(50), 0);
	kt_grace_begin(test, grace);
	for (round = 0; round < ARRAY_SIZE(sizes); round++)
		for_each_online_cpu(cpu) {
			const shim_u64 size = sizes[(round + cpu) % ARRAY_SIZE(sizes)];
			struct kt_slab *fresh = kt_slab_new(BASE, size, 4, NULL);

			KUNIT_EXPECT_NOT_NULL(test, fresh);
			found += take(kt_live_swap(cpu, fresh), nbins[cpu]);
			nbins[cpu] = size;
		}
	for_each_online_cpu(cpu)
		found += take(kt_live_swap(cpu, NULL), nbins[cpu]);
	kt_threads_stop();
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	for_each_possible_cpu(cpu) {
		expected += per_cpu(counted, cpu);
		missed += per_cpu(uncounted, cpu);
	}
	KUNIT_EXPECT_GT(test, expected, 100UL);
	KUNIT_EXPECT_GT(test, missed, 0UL); /* before the first, behind the last */
	KUNIT_EXPECT_EQ(test, found, expected);
}

static atomic_long_t drained;
static atomic_t failures, changes;

static void drain(void *unused)
{
	struct kt_report got;

	if (kt_report(1, &got))
		atomic_inc(&failures);
	else
		atomic_long_add(got.binned, &drained);
	usleep_range(1000, 2000);
}

static void change_shape(void *unused)
{
	static const shim_u64 sizes[] = { 65536, 512, 16384, 1024, 4096 };
	const int n = atomic_inc_return(&changes);

	if (kt_shape(sizes[n % ARRAY_SIZE(sizes)], n % 3 == 0))
		atomic_inc(&failures);
	usleep_range(1000, 2000);
}

static void change_rate(void *unused)
{
	static const shim_u64 rates[] = { 100, 10000, 1000, 3000 };
	const int n = atomic_inc_return(&changes);

	if (kt_rate(rates[n % ARRAY_SIZE(rates)]))
		atomic_inc(&failures);
	usleep_range(1000, 2000);
}

static void change_cpus(void *unused)
{
	static const char *const lists[] = { "0-3", "1", "all", "2-3", "0,2" };
	const int n = atomic_inc_return(&changes);

	if (kt_cpus(lists[n % ARRAY_SIZE(lists)]))
		atomic_inc(&failures);
	usleep_range(1000, 2000);
}

static void toggle(void *unused)
{
	if (kt_enable())
		atomic_inc(&failures);
	usleep_range(5000, 10000);
	kt_disable();
}

static const struct race {
	const char *name;
	/* each in a thread of its own */
	void (*changer[3])(void *unused);
} races[] = {
	{ "shape_and_drain", { change_shape, drain } },
	{ "shape_and_rate", { change_shape, change_rate } },
	{ "cpus_and_drain", { change_cpus, drain } },
	{ "on_off_and_shape", { toggle, change_shape, drain } },
};

static void describe_race(const struct race *race, char *desc)
{
	strscpy(desc, race->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(race, races, describe_race);

static void every_sample_is_accounted_for(struct kunit *test)
{
	const struct race *race = test->param_value;
	shim_u64 discarded;
	struct kt_ledger was, is;
	struct kt_report got;
	int i;

	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");
	atomic_long_set(&drained, 0);
	atomic_set(&failures, 0);
	atomic_set(&changes, 0);
	KUNIT_ASSERT_EQ(test, kt_report(1, &got), 0);
	discarded = nmiprof_core_discarded();
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(5000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_fire(200), 0);
	for (i = 0; i < ARRAY_SIZE(race->changer); i++)
		if (race->changer[i])
			KUNIT_ASSERT_EQ(test, kt_thread(KT_ANY_CPU, race->changer[i], NULL), 0);
	for (i = 0; i < 12; i++) {
		kt_sleep(30);
		KT_EXPECT_BALANCED(test);
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_ASSERT_EQ(test, kt_report(1, &got), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	KUNIT_EXPECT_GT(test, is.binned, was.binned);
	KUNIT_EXPECT_EQ(test, is.binned - was.binned,
			got.binned + atomic_long_read(&drained) + nmiprof_core_discarded() -
				discarded);
	KT_EXPECT_BALANCED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(a_small_slab_replaces_a_large_one, kt_grace_gen_params),
	KUNIT_CASE_PARAM(every_sample_is_accounted_for, race_gen_params),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_races",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, ranges and sizes that change under fire");
MODULE_LICENSE("GPL");
