// SPDX-License-Identifier: GPL-2.0-only
/* The ledger adds up at every look, whatever goes on. */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include "glue_kunit.h"
#include "shim/clock.h"
#include "support_kunit.h"

/* --- What a reader of a sequence sees --------------------------------------- */

static struct kt_sequence *sequence;

static void write_often(void *unused)
{
	int i;

	for (i = 0; i < 2000; i++)
		kt_sequence_write(sequence);
}

static atomic_t torn, whole;

static void read_it(void *unused)
{
	int i;

	for (i = 0; i < 200; i++) {
		shim_u64 a, b;

		if (!kt_sequence_read(sequence, &a, &b))
			continue;
		atomic_inc(a == b ? &whole : &torn);
	}
}

static void a_reader_never_sees_half_an_update(struct kunit *test)
{
	int i;

	atomic_set(&torn, 0);
	atomic_set(&whole, 0);
	sequence = kt_sequence_new();
	KUNIT_ASSERT_NOT_NULL(test, sequence);
	KUNIT_ASSERT_EQ(test, kt_thread(2, read_it, NULL), 0);
	KUNIT_ASSERT_EQ(test, kt_thread(3, read_it, NULL), 0);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, kt_in_nmi(1, write_often, NULL), 0);
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, atomic_read(&torn), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&whole), 0);
	kt_free(sequence);
}

/* --- The whole of it -------------------------------------------------------- */

static atomic_t failures;

static void toggle(void *unused)
{
	if (kt_enable())
		atomic_inc(&failures);
	kt_sleep(15);
	kt_disable();
}

static void change_rate(void *unused)
{
	static atomic_t n;

	if (kt_rate(atomic_inc_return(&n) % 2 ? 300 : 8000))
		atomic_inc(&failures);
	kt_sleep(3);
}

static const struct load {
	const char *name;
	void (*fn)(void *unused);
	int fire_us;
} loads[] = {
	{ "sampling", NULL, -1 },
	{ "and_requests", NULL, 20 },
	{ "and_rates", change_rate, 100 },
	{ "on_and_off", toggle, 100 },
};

static void describe_load(const struct load *load, char *desc)
{
	strscpy(desc, load->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(load, loads, describe_load);

static bool went_back(const struct kt_ledger *was, const struct kt_ledger *is)
{
	return is->due < was->due || is->sent < was->sent || is->coalesced < was->coalesced ||
	       is->skipped < was->skipped || is->handled < was->handled ||
	       is->lost < was->lost || is->samples < was->samples ||
	       is->binned < was->binned || is->user < was->user || is->idle < was->idle;
}

static void it_adds_up_at_every_look(struct kunit *test)
{
	const struct load *load = test->param_value;
	static struct kt_ledger was[NR_CPUS];
	struct kt_ledger is;
	unsigned int cpu;
	int i, wrong = 0, backwards = 0;

	atomic_set(&failures, 0);
	KUNIT_ASSERT_EQ(test, kt_rate(5000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	if (load->fire_us >= 0)
		KUNIT_ASSERT_EQ(test, kt_fire(load->fire_us), 0);
	if (load->fn)
		KUNIT_ASSERT_EQ(test, kt_thread(KT_ANY_CPU, load->fn, NULL), 0);
	for_each_possible_cpu(cpu)
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was[cpu]), 0);
	for (i = 0; i < 100; i++) {
		for_each_possible_cpu(cpu) {
			KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
			wrong += kt_imbalance(&is) || is.outstanding > 1;
			backwards += went_back(&was[cpu], &is);
			was[cpu] = is;
		}
		usleep_range(1000, 1100);
	}
	kt_threads_stop();
	kt_disable();
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, backwards, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, is.outstanding, 0UL);
	KT_EXPECT_BALANCED(test);
}

static const shim_u64 rates[] = { 10, 97, 1000, 20000 };

static void describe_rate(const shim_u64 *rate, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%lu", *rate);
}

KUNIT_ARRAY_PARAM(rate, rates, describe_rate);

/* Whatever the machine manages to send: what is due is known from the time. */
static void due_comes_from_the_clock(struct kunit *test)
{
	const shim_u64 rate = *(const shim_u64 *)test->param_value;
	const shim_u64 period = NSEC_PER_SEC / rate;
	struct kt_ledger was, is;
	shim_u64 before, begun, ending, ended;

	KUNIT_ASSERT_EQ(test, kt_rate(rate), 0);
	KUNIT_ASSERT_EQ(test, kt_cpus("1"), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	before = shim_now_ns();
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	begun = shim_now_ns();
	kt_sleep(rate < 50 ? 500 : 100);
	ending = shim_now_ns();
	kt_disable();
	ended = shim_now_ns();
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &is), 0);
	/* The first comes two periods after the start. */
	KUNIT_EXPECT_LE(test, is.due - was.due, (ended - before) / period);
	KUNIT_EXPECT_GE(test, is.due - was.due + 2, (ending - begun) / period);
	KUNIT_EXPECT_GT(test, is.due, was.due);
}

static void nothing_is_due_while_it_is_off(struct kunit *test)
{
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	kt_sleep(20);
	kt_disable();
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	kt_sleep(50);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, was.outstanding, 0UL);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
	KUNIT_EXPECT_EQ(test, is.sent, was.sent);
	KUNIT_EXPECT_EQ(test, is.handled, was.handled);
	KUNIT_EXPECT_EQ(test, is.samples, was.samples);
}

static void each_term_has_a_name_and_each_cpu_a_row(struct kunit *test)
{
	shim_u64 terms[NMIPROF_MAX_TERMS];
	unsigned int i, j, cpu;

	KUNIT_ASSERT_GT(test, nmiprof_core_terms(), 0U);
	KUNIT_ASSERT_LE(test, nmiprof_core_terms(), (unsigned int)NMIPROF_MAX_TERMS);
	for (i = 0; i < nmiprof_core_terms(); i++) {
		KUNIT_ASSERT_NOT_NULL(test, nmiprof_core_term_name(i));
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, nmiprof_core_term_name(i),
					    nmiprof_core_term_name(j));
	}
	KUNIT_EXPECT_NULL(test, nmiprof_core_term_name(i));
	for_each_possible_cpu(cpu)
		KUNIT_EXPECT_EQ(test, nmiprof_core_ledger(cpu, terms), 0);
	KUNIT_EXPECT_EQ(test, nmiprof_core_ledger(nr_cpu_ids, terms), -ENODEV);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_reader_never_sees_half_an_update),
	KUNIT_CASE_PARAM(it_adds_up_at_every_look, load_gen_params),
	KUNIT_CASE_PARAM(due_comes_from_the_clock, rate_gen_params),
	KUNIT_CASE(nothing_is_due_while_it_is_off),
	KUNIT_CASE(each_term_has_a_name_and_each_cpu_a_row),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_ledger",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, the ledger");
MODULE_LICENSE("GPL");
