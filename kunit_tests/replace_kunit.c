// SPDX-License-Identifier: GPL-2.0-only
/* Replacing a handler while NMIs arrive: function and data change together. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "support_kunit.h"

#define MAGIC_A 0xaaaa5555aaaa5555UL
#define MAGIC_B 0xbbbb6666bbbb6666UL
#define POISON 0xdeadbeefdeadbeefUL

struct data {
	unsigned long magic;
	atomic_long_t runs;
};

static atomic_long_t bad, all_runs;

static unsigned int check(void *context, unsigned long magic)
{
	struct data *data = context;

	atomic_long_inc(&all_runs);
	if (READ_ONCE(data->magic) != magic)
		atomic_long_inc(&bad);
	atomic_long_inc(&data->runs);
	/* lint: USLEEP_RANGE: an NMI handler cannot sleep */
	udelay(10);
	if (READ_ONCE(data->magic) != magic)
		atomic_long_inc(&bad);
	return 0;
}

static unsigned int handler_a(void *context, const struct nmiprof_nmi *nmi)
{
	return check(context, MAGIC_A);
}

static unsigned int handler_b(void *context, const struct nmiprof_nmi *nmi)
{
	return check(context, MAGIC_B);
}

static struct data *data_new(unsigned long magic)
{
	struct data *data = kzalloc(sizeof(*data), GFP_KERNEL);

	if (data)
		data->magic = magic;
	return data;
}

static void data_free(struct data *data)
{
	if (data)
		WRITE_ONCE(data->magic, POISON);
	kfree(data);
}

static int start(struct kunit *test, struct data **data)
{
	int number;

	atomic_long_set(&bad, 0);
	atomic_long_set(&all_runs, 0);
	*data = data_new(MAGIC_A);
	KUNIT_ASSERT_NOT_NULL(test, *data);
	number = kt_handler_add("replaced", handler_a, *data);
	KUNIT_ASSERT_GT(test, number, 0);
	return number;
}

/* Replaces @rounds times, freeing what was replaced; the data at the end. */
static struct data *replace(struct kunit *test, int number, struct data *data, int rounds)
{
	int i;

	for (i = 0; i < rounds; i++) {
		const bool to_b = data->magic == MAGIC_A;
		struct data *next = data_new(to_b ? MAGIC_B : MAGIC_A);

		if (!next)
			break;
		KUNIT_EXPECT_EQ(test, nmiprof_replace(number, to_b ? handler_b : handler_a, next),
				0);
		data_free(data);
		data = next;
		usleep_range(100, 200);
	}
	KUNIT_EXPECT_EQ(test, i, rounds);
	return data;
}

static void function_and_context_change_together(struct kunit *test)
{
	const struct kt_grace *grace = test->param_value;
	struct data *data;
	int number = start(test, &data);

	kt_grace_begin(test, grace);
	KUNIT_EXPECT_EQ(test, kt_fire(50), 0);
	data = replace(test, number, data, 40);
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(data);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&bad), 0L);
	KUNIT_EXPECT_GT(test, atomic_long_read(&all_runs), 100L);
}

static void no_nmi_sees_neither(struct kunit *test)
{
	struct kt_ledger was, is;
	struct data *data;
	int number;

	KUNIT_ASSERT_TRUE(test, kt_quiet());
	number = start(test, &data);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	atomic_long_set(&all_runs, 0);
	KUNIT_EXPECT_EQ(test, kt_fire(20), 0);
	data = replace(test, number, data, 20);
	kt_threads_stop();
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, (shim_u64)atomic_long_read(&all_runs),
			is.handled - was.handled + is.foreign - was.foreign);
	KUNIT_EXPECT_GT(test, is.handled, was.handled);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(data);
}

static void the_former_does_not_run_any_more(struct kunit *test)
{
	struct data *a, *b = data_new(MAGIC_B);
	int number = start(test, &a);
	long runs;

	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_EQ(test, kt_fire(20), 0);
	kt_sleep(20);
	KUNIT_EXPECT_EQ(test, nmiprof_replace(number, handler_b, b), 0);
	runs = atomic_long_read(&a->runs);
	kt_sleep(50);
	KUNIT_EXPECT_GT(test, runs, 0L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&a->runs), runs);
	KUNIT_EXPECT_GT(test, atomic_long_read(&b->runs), 0L);
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(a);
	data_free(b);
}

static atomic_t inside;
static int entered, replaced;

static unsigned int linger(void *context, const struct nmiprof_nmi *nmi)
{
	if (READ_ONCE(entered))
		return 0;
	atomic_inc(&inside);
	kt_tell(&entered);
	kt_spin_until(&replaced, 30);
	atomic_dec(&inside);
	return 0;
}

static void the_former_is_awaited(struct kunit *test)
{
	const struct kt_grace *grace = test->param_value;
	struct data *b = data_new(MAGIC_B);
	int number;

	KUNIT_ASSERT_NOT_NULL(test, b);
	WRITE_ONCE(replaced, 0);
	WRITE_ONCE(entered, 0);
	kt_grace_begin(test, grace);
	number = kt_handler_add("linger", linger, NULL);
	KUNIT_EXPECT_GT(test, number, 0);
	nmiprof_sample(1);
	KUNIT_EXPECT_TRUE(test, kt_spin_until(&entered, 1000));
	KUNIT_EXPECT_EQ(test, nmiprof_replace(number, handler_b, b), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&inside), 0);
	kt_tell(&replaced);
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(b);
}

static void counts_go_on_and_the_name_stays(struct kunit *test)
{
	struct nmiprof_handler_stats before, after;
	struct data *data;
	int number = start(test, &data);
	char name[32] = "";

	KUNIT_EXPECT_TRUE(test, kt_tick(1));
	KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(number, 1, &before), 0);
	data = replace(test, number, data, 1);
	KUNIT_EXPECT_TRUE(test, kt_tick(1));
	KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(number, 1, &after), 0);
	KUNIT_EXPECT_GT(test, before.invocations, 0UL);
	KUNIT_EXPECT_GT(test, after.invocations, before.invocations);
	KUNIT_EXPECT_EQ(test, nmiprof_core_handler_name(number, name, sizeof(name)), 0);
	KUNIT_EXPECT_STREQ(test, name, "replaced");
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(data);
}

static void the_profile_beside_it_loses_nothing(struct kunit *test)
{
	struct kt_ledger was, is;
	struct data *data;
	int number;

	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(2000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	number = start(test, &data);
	data = replace(test, number, data, 20);
	kt_disable();
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_GT(test, is.samples, was.samples);
	KUNIT_EXPECT_EQ(test, is.samples - was.samples, is.handled - was.handled);
	KUNIT_EXPECT_EQ(test, is.no_buffer, was.no_buffer);
	KT_EXPECT_BALANCED(test);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(data);
}

static void refusals_change_nothing(struct kunit *test)
{
	struct data *data;
	int number = start(test, &data);

	KUNIT_EXPECT_EQ(test, nmiprof_replace(number, NULL, data), -EINVAL);
	KUNIT_EXPECT_EQ(test, nmiprof_replace(number + 1, handler_b, data), -ENOENT);
	KUNIT_EXPECT_EQ(test, nmiprof_replace(0, handler_b, data), -ENOENT);
	KUNIT_EXPECT_EQ(test, nmiprof_replace(-1, handler_b, data), -ENOENT);
	KUNIT_EXPECT_TRUE(test, kt_tick(1));
	KUNIT_EXPECT_GT(test, atomic_long_read(&data->runs), 0L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&bad), 0L);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	data_free(data);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(function_and_context_change_together, kt_grace_gen_params),
	KUNIT_CASE(no_nmi_sees_neither),
	KUNIT_CASE(the_former_does_not_run_any_more),
	KUNIT_CASE_PARAM(the_former_is_awaited, kt_grace_gen_params),
	KUNIT_CASE(counts_go_on_and_the_name_stays),
	KUNIT_CASE(the_profile_beside_it_loses_nothing),
	KUNIT_CASE(refusals_change_nothing),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_replace",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, replacing a handler");
MODULE_LICENSE("GPL");
