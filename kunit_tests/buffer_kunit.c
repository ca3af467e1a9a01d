// SPDX-License-Identifier: GPL-2.0-only
/* What a slab does with a sample, in NMIs; and what becomes of samples of known code. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "glue_kunit.h"
#include "support_kunit.h"

#define BASE 0xffffffff81000000UL
#define NBINS 64

/* Counts a list of samples in one NMI. */
struct batch {
	struct kt_slab *slab;
	const shim_u64 *ips;
	unsigned int nr;
	shim_u32 how;
};

static void count_batch(void *arg)
{
	const struct batch *b = arg;
	unsigned int i;

	for (i = 0; i < b->nr; i++)
		kt_slab_count(b->slab, b->ips[i], b->how);
}

static const unsigned int shifts[] = { 2, 4, 6, 12, 16 };

static void describe_shift(const unsigned int *shift, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", 1U << *shift);
}

KUNIT_ARRAY_PARAM(shift, shifts, describe_shift);

static void the_edges_of_the_range(struct kunit *test)
{
	const unsigned int shift = *(const unsigned int *)test->param_value;
	const shim_u64 end = BASE + ((shim_u64)NBINS << shift);
	const shim_u64 inside[] = {
		BASE, BASE + (1UL << shift) - 1, BASE + (1UL << shift), end - 1,
	};
	const shim_u64 outside[] = { BASE - 1, end, 0, ~0UL };
	struct kt_slab *slab = kt_slab_new(BASE, NBINS, shift, NULL);
	struct batch b = { .slab = slab, .ips = inside, .nr = ARRAY_SIZE(inside) };
	struct kt_slab_sums sums;
	shim_u64 total = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_EXPECT_EQ(test, kt_in_nmi(1, count_batch, &b), 0);
	KUNIT_EXPECT_EQ(test, kt_slab_bin(slab, 0, 0), 2U);
	KUNIT_EXPECT_EQ(test, kt_slab_bin(slab, 1, 0), 1U);
	KUNIT_EXPECT_EQ(test, kt_slab_bin(slab, NBINS - 1, 0), 1U);
	b.ips = outside;
	b.nr = ARRAY_SIZE(outside);
	b.how = NMIPROF_IRQS_OFF;
	KUNIT_EXPECT_EQ(test, kt_in_nmi(1, count_batch, &b), 0);
	for (i = 0; i < NBINS; i++)
		total += kt_slab_bin(slab, i, 0) + kt_slab_bin(slab, i, 1);
	kt_slab_read(slab, &sums);
	KUNIT_EXPECT_EQ(test, total, 4UL);
	KUNIT_EXPECT_EQ(test, sums.binned, 8UL);
	KUNIT_EXPECT_EQ(test, sums.outside, 4UL);
	KUNIT_EXPECT_EQ(test, sums.outside_irqs_off, 4UL);
	KUNIT_EXPECT_EQ(test, sums.outside_rows, 4UL);
	KUNIT_EXPECT_EQ(test, sums.out_of_range, 0UL);
	kt_free(slab);
}

static const struct kind {
	const char *name;
	shim_u32 how;
	shim_u64 ip;
	shim_u64 bin, bin_off, user, idle;
} kinds[] = {
	{ "irqs_on", 0, BASE, 1, 0, 0, 0 },
	{ "irqs_off", NMIPROF_IRQS_OFF, BASE, 0, 1, 0, 0 },
	{ "user", NMIPROF_USER, BASE, 0, 0, 1, 0 },
	{ "idle", NMIPROF_IDLE, BASE, 0, 0, 0, 1 },
	{ "idle_irqs_off", NMIPROF_IDLE | NMIPROF_IRQS_OFF, BASE, 0, 0, 0, 1 },
	{ "outside", 0, 0xffffffffc0000000UL, 0, 0, 0, 0 },
};

static void describe_kind(const struct kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, describe_kind);

static void one_sample_one_counter(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	int shared;

	for (shared = 0; shared < 2; shared++) {
		void *bins = shared ? kt_bins_new(NBINS) : NULL;
		struct kt_slab *slab = kt_slab_new(BASE, NBINS, 4, bins);
		struct batch b = { .slab = slab, .ips = &kind->ip, .nr = 1, .how = kind->how };
		struct kt_slab_sums sums;

		KUNIT_ASSERT_NOT_NULL(test, slab);
		KUNIT_EXPECT_EQ(test, kt_in_nmi(2, count_batch, &b), 0);
		kt_slab_read(slab, &sums);
		KUNIT_EXPECT_EQ(test, (shim_u64)kt_slab_bin(slab, 0, 0), kind->bin);
		KUNIT_EXPECT_EQ(test, (shim_u64)kt_slab_bin(slab, 0, 1), kind->bin_off);
		KUNIT_EXPECT_EQ(test, sums.user, kind->user);
		KUNIT_EXPECT_EQ(test, sums.idle, kind->idle);
		KUNIT_EXPECT_EQ(test, sums.binned + sums.user + sums.idle, 1UL);
		KUNIT_EXPECT_EQ(test, sums.outside, sums.binned - kind->bin - kind->bin_off);
		kt_free(slab);
		kt_free(bins);
	}
}

/* More addresses than the table for text outside the image has room for. */
static void what_does_not_fit_is_counted(struct kunit *test)
{
	enum { BATCHES = 24, PER_BATCH = 256 };
	struct kt_slab *slab = kt_slab_new(BASE, NBINS, 4, NULL);
	shim_u64 *ips = kunit_kcalloc(test, PER_BATCH, sizeof(*ips), GFP_KERNEL);
	struct batch b = { .slab = slab, .ips = ips, .nr = PER_BATCH };
	struct kt_slab_sums sums;
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_NOT_NULL(test, ips);
	for (i = 0; i < BATCHES; i++) {
		for (j = 0; j < PER_BATCH; j++)
			ips[j] = 0xffffffffc0000000UL + 16UL * (i * PER_BATCH + j);
		KUNIT_EXPECT_EQ(test, kt_in_nmi(1 + i % 3, count_batch, &b), 0);
	}
	kt_slab_read(slab, &sums);
	KUNIT_EXPECT_EQ(test, sums.binned + sums.out_of_range, (shim_u64)BATCHES * PER_BATCH);
	KUNIT_EXPECT_EQ(test, sums.binned, sums.outside);
	KUNIT_EXPECT_GT(test, sums.out_of_range, 0UL);
	KUNIT_EXPECT_GT(test, sums.outside_rows, 2000UL);
	KUNIT_EXPECT_LE(test, sums.outside_rows, 4096UL);
	/* An address that has its place goes on being counted. */
	for (j = 0; j < PER_BATCH; j++)
		ips[j] = 0xffffffffc0000000UL;
	KUNIT_EXPECT_EQ(test, kt_in_nmi(1, count_batch, &b), 0);
	kt_slab_read(slab, &sums);
	KUNIT_EXPECT_EQ(test, sums.binned + sums.out_of_range, (BATCHES + 1UL) * PER_BATCH);
	kt_free(slab);
}

enum { TURNS = 10000 };

static struct kt_slab *slab_of[NR_CPUS];

static void count_in_step(void *unused)
{
	struct kt_slab *slab = slab_of[smp_processor_id()];
	int i;

	for (i = 0; i < TURNS; i++)
		kt_slab_count(slab, BASE, 0);
}

static void all_cpus_at_once_lose_nothing(struct kunit *test)
{
	const unsigned int shared = *(const unsigned int *)test->param_value;
	void *bins = shared ? kt_bins_new(NBINS) : NULL;
	shim_u64 in_bins = 0, binned = 0;
	struct kt_slab_sums sums;
	unsigned int cpu;
	int round;

	for_each_online_cpu(cpu) {
		slab_of[cpu] = kt_slab_new(BASE, NBINS, 4, bins);
		KUNIT_ASSERT_NOT_NULL(test, slab_of[cpu]);
	}
	for (round = 0; round < 3; round++)
		KUNIT_EXPECT_EQ(test, kt_in_nmis(count_in_step, NULL), 0);
	for_each_online_cpu(cpu) {
		kt_slab_read(slab_of[cpu], &sums);
		binned += sums.binned;
		if (!shared || !in_bins)
			in_bins += kt_slab_bin(slab_of[cpu], 0, 0);
		kt_free(slab_of[cpu]);
	}
	KUNIT_EXPECT_EQ(test, binned, (shim_u64)num_online_cpus() * 3 * TURNS);
	KUNIT_EXPECT_EQ(test, in_bins, binned);
	kt_free(bins);
}

static const unsigned int layouts[] = { 0, 1 };

static void describe_layout(const unsigned int *shared, char *desc)
{
	strscpy(desc, *shared ? "shared" : "percpu", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(layout, layouts, describe_layout);

/* The point of it all: code that runs with interrupts off shows where it is. */
static void code_with_interrupts_off_is_seen(struct kunit *test)
{
	const unsigned int shared = *(const unsigned int *)test->param_value;
	struct kt_ledger was, is;
	struct kt_report got;

	KUNIT_ASSERT_EQ(test, kt_shape(65536, shared), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(1000), 0);
	KUNIT_ASSERT_EQ(test, kt_cpus("1"), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_block(1), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	kt_sleep(150);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &is), 0);
	kt_unblock();
	kt_disable();
	KUNIT_EXPECT_GT(test, is.samples - was.samples, 20UL);
	KUNIT_ASSERT_EQ(test, kt_report(1, &got), 0);
	/* What was sampled before it was unblocked was all in there. */
	KUNIT_EXPECT_GE(test, got.irqs_off, is.samples - was.samples);
	/* With KCSAN, mostly in what looks at each access, for which it is called. */
	KUNIT_EXPECT_GT(test, got.spinning_irqs_off, 0UL);
}

static void a_report_holds_what_the_ledger_counts(struct kunit *test)
{
	const unsigned int shared = *(const unsigned int *)test->param_value;
	struct kt_report look, drained, empty;
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_shape(4096, shared), 0);
	KUNIT_ASSERT_EQ(test, kt_report(1, &empty), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_fire(100), 0);
	kt_sleep(100);
	kt_threads_stop();
	kt_disable();
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_ASSERT_EQ(test, kt_report(0, &look), 0);
	KUNIT_ASSERT_EQ(test, kt_report(1, &drained), 0);
	KUNIT_ASSERT_EQ(test, kt_report(1, &empty), 0);
	KUNIT_EXPECT_GT(test, drained.samples, 0UL);
	KUNIT_EXPECT_EQ(test, drained.samples, kt_in_buffers(&is) - kt_in_buffers(&was));
	KUNIT_EXPECT_EQ(test, drained.binned, is.binned - was.binned);
	KUNIT_EXPECT_EQ(test, look.samples, drained.samples);
	KUNIT_EXPECT_EQ(test, empty.samples, 0UL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(the_edges_of_the_range, shift_gen_params),
	KUNIT_CASE_PARAM(one_sample_one_counter, kind_gen_params),
	KUNIT_CASE(what_does_not_fit_is_counted),
	KUNIT_CASE_PARAM(all_cpus_at_once_lose_nothing, layout_gen_params),
	KUNIT_CASE_PARAM(code_with_interrupts_off_is_seen, layout_gen_params),
	KUNIT_CASE_PARAM(a_report_holds_what_the_ledger_counts, layout_gen_params),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_buffer",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, the profile buffer");
MODULE_LICENSE("GPL");
