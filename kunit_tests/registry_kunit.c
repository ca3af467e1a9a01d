// SPDX-License-Identifier: GPL-2.0-only
/* The registry of handlers, under real NMIs on all CPUs. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "support_kunit.h"

/* A handler's data; nobody else's handler may see it, and none once it is freed. */
#define MAGIC 0x600df00d600df00dUL
#define POISON 0xdeadbeefdeadbeefUL

struct data {
	unsigned long magic;
};

static atomic_long_t runs, bad;

static unsigned int check(void *context, const struct nmiprof_nmi *nmi)
{
	const struct data *data = context;

	atomic_long_inc(&runs);
	if (READ_ONCE(data->magic) != MAGIC)
		atomic_long_inc(&bad);
	/* lint: USLEEP_RANGE: an NMI handler cannot sleep */
	udelay(20);
	/* Again, late: freed in the meantime would show here. */
	if (READ_ONCE(data->magic) != MAGIC)
		atomic_long_inc(&bad);
	return 0;
}

static int register_once(const char *name)
{
	struct data *data = kmalloc(sizeof(*data), GFP_KERNEL);
	int number;

	if (!data)
		return -ENOMEM;
	WRITE_ONCE(data->magic, MAGIC);
	number = nmiprof_register(name, check, data);
	if (number > 0) {
		usleep_range(100, 200);
		nmiprof_unregister(number);
	}
	WRITE_ONCE(data->magic, POISON);
	kfree(data);
	return number;
}

struct seen {
	void *context;
	struct pt_regs *regs;
	unsigned long ip;
	unsigned int cpu, how;
	int in_nmi;
	int done;
};

static unsigned int look(void *context, const struct nmiprof_nmi *nmi)
{
	struct seen *seen = context;

	if (smp_processor_id() != seen->cpu || seen->done)
		return 0;
	seen->context = context;
	seen->regs = nmi->regs;
	seen->ip = nmi->ip - nmi->regs->ip;
	seen->how = nmi->how;
	seen->in_nmi = in_nmi() != 0;
	kt_tell(&seen->done);
	return 0;
}

static void a_handler_gets_its_context_and_the_nmi(struct kunit *test)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct seen seen = { .cpu = cpu };
		int number = kt_handler_add("look", look, &seen);

		KUNIT_ASSERT_GT(test, number, 0);
		KUNIT_EXPECT_TRUE(test, kt_tick(cpu));
		KUNIT_ASSERT_EQ(test, kt_handler_remove(number), 0);
		KUNIT_ASSERT_EQ(test, seen.done, 1);
		KUNIT_EXPECT_PTR_EQ(test, seen.context, (void *)&seen);
		KUNIT_EXPECT_NOT_NULL(test, seen.regs);
		KUNIT_EXPECT_EQ(test, seen.ip, 0UL);
		KUNIT_EXPECT_EQ(test, seen.in_nmi, 1);
		KUNIT_EXPECT_EQ(test, seen.how & NMIPROF_FOREIGN, 0U);
	}
}

static unsigned int nothing(void *context, const struct nmiprof_nmi *nmi)
{
	return 0;
}

static const struct refusal {
	const char *what, *name;
	nmiprof_handler_fn fn;
	int err;
} refusals[] = {
	{ "no_function", "kt", NULL, -EINVAL },
	{ "no_name", NULL, nothing, -EINVAL },
	{ "empty_name", "", nothing, -EINVAL },
	{ "name_of_32", "01234567890123456789012345678901", nothing, -EINVAL },
	{ "name_in_use", "taken", nothing, -EEXIST },
	{ "name_of_31", "0123456789012345678901234567890", nothing, 0 },
};

static void describe_refusal(const struct refusal *r, char *desc)
{
	strscpy(desc, r->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refusal, refusals, describe_refusal);

static void refusals_change_nothing(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	const int taken = kt_handler_add("taken", nothing, NULL);
	char name[64];
	int i, got, count = 0;

	KUNIT_ASSERT_GT(test, taken, 0);
	got = kt_handler_add(r->name, r->fn, NULL);
	if (r->err)
		KUNIT_EXPECT_EQ(test, got, r->err);
	else
		KUNIT_EXPECT_GT(test, got, 0);
	for (i = 1; i < nmiprof_core_max_handlers(); i++)
		count += !nmiprof_core_handler_name(i, name, sizeof(name));
	KUNIT_EXPECT_EQ(test, count, r->err ? 1 : 2);
}

static void fifteen_handlers_and_no_more(struct kunit *test)
{
	const int most = nmiprof_core_max_handlers() - 1;
	struct nmiprof_handler_stats before, after;
	struct kt_ledger was, is;
	int number[32];
	char name[32];
	int i;

	KUNIT_ASSERT_EQ(test, most, 15);
	for (i = 0; i < most; i++) {
		snprintf(name, sizeof(name), "kt%d", i);
		number[i] = kt_handler_add(name, nothing, NULL);
		KUNIT_ASSERT_GT(test, number[i], 0);
	}
	KUNIT_EXPECT_EQ(test, kt_handler_add("one_more", nothing, NULL), -ENOSPC);

	/* Each of them runs once for each NMI. */
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(number[0], 1, &before), 0);
	KUNIT_EXPECT_TRUE(test, kt_tick(1));
	KUNIT_ASSERT_TRUE(test, kt_quiet());
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &is), 0);
	for (i = 0; i < most; i++) {
		KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(number[i], 1, &after), 0);
		KUNIT_EXPECT_EQ(test, after.invocations - before.invocations,
				is.handled - was.handled + is.foreign - was.foreign);
	}
	for (i = 0; i < most; i++)
		KUNIT_EXPECT_EQ(test, kt_handler_remove(number[i]), 0);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number[0]), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(0), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(most + 1), -ENOENT);
}

static DEFINE_PER_CPU(unsigned long, counted_runs);
static DEFINE_PER_CPU(unsigned long, counted_claims);

static unsigned int count(void *context, const struct nmiprof_nmi *nmi)
{
	const unsigned int claims = this_cpu_inc_return(counted_runs) % 3;

	if (nmi->how & NMIPROF_FOREIGN)
		return 0;
	this_cpu_add(counted_claims, claims);
	return claims;
}

static void counts_are_exact_under_fire(struct kunit *test)
{
	struct nmiprof_handler_stats stats;
	unsigned long all = 0;
	unsigned int cpu;
	int number;

	for_each_possible_cpu(cpu)
		per_cpu(counted_runs, cpu) = per_cpu(counted_claims, cpu) = 0;
	number = kt_handler_add("count", count, NULL);
	KUNIT_ASSERT_GT(test, number, 0);
	KUNIT_ASSERT_EQ(test, kt_fire(20), 0);
	kt_sleep(200);
	kt_threads_stop();
	KUNIT_ASSERT_TRUE(test, kt_quiet());
	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(number, cpu, &stats), 0);
		KUNIT_EXPECT_EQ(test, stats.invocations, per_cpu(counted_runs, cpu));
		KUNIT_EXPECT_EQ(test, stats.claims, per_cpu(counted_claims, cpu));
		KUNIT_EXPECT_GT(test, stats.invocations, 0UL);
		KUNIT_EXPECT_GT(test, stats.longest_ns, 0UL);
		all += stats.invocations;
	}
	KUNIT_EXPECT_GT(test, all, 100UL);
	KT_EXPECT_BALANCED(test);
}

static void the_default_handler_counts_when_there_is_no_other(struct kunit *test)
{
	struct nmiprof_handler_stats before, after;
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(0, 1, &before), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	KUNIT_EXPECT_TRUE(test, kt_tick(1));
	KUNIT_ASSERT_TRUE(test, kt_quiet());
	KUNIT_ASSERT_EQ(test, nmiprof_core_handler_stats(0, 1, &after), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &is), 0);
	KUNIT_EXPECT_EQ(test, after.invocations - before.invocations,
			is.handled - was.handled + is.foreign - was.foreign);
	KUNIT_EXPECT_GT(test, after.invocations, before.invocations);
	KUNIT_EXPECT_EQ(test, after.claims, before.claims);
	KUNIT_EXPECT_EQ(test, is.samples, was.samples);
}

/* A handler that stays in its NMI until its removal has returned, which it must not. */
static atomic_t inside;
static int entered, removed;

static unsigned int linger(void *context, const struct nmiprof_nmi *nmi)
{
	if (READ_ONCE(entered))
		return 0;
	atomic_inc(&inside);
	kt_tell(&entered);
	kt_spin_until(&removed, 30);
	atomic_dec(&inside);
	return 0;
}

static void removal_waits_for_a_handler_that_runs(struct kunit *test)
{
	const struct kt_grace *grace = test->param_value;
	int round, number;

	kt_grace_begin(test, grace);
	for (round = 0; round < 3; round++) {
		WRITE_ONCE(removed, 0);
		WRITE_ONCE(entered, 0);
		number = kt_handler_add("linger", linger, NULL);
		KUNIT_EXPECT_GT(test, number, 0);
		nmiprof_sample(1 + round % (num_online_cpus() - 1));
		KUNIT_EXPECT_TRUE(test, kt_spin_until(&entered, 1000));
		KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&inside), 0);
		kt_tell(&removed);
		/* A handler that is still there would go back into what is freed. */
		KUNIT_EXPECT_TRUE(test, kt_quiet());
	}
}

static void data_may_be_freed_at_once(struct kunit *test)
{
	const struct kt_grace *grace = test->param_value;
	int round;

	atomic_long_set(&runs, 0);
	atomic_long_set(&bad, 0);
	kt_grace_begin(test, grace);
	KUNIT_EXPECT_EQ(test, kt_fire(50), 0);
	for (round = 0; round < 40; round++)
		KUNIT_EXPECT_GT(test, register_once("once"), 0);
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, atomic_long_read(&bad), 0L);
	KUNIT_EXPECT_GT(test, atomic_long_read(&runs), 0L);
}

static atomic_t failures;

static void register_own(void *name)
{
	if (register_once(name) < 0)
		atomic_inc(&failures);
}

static void several_updaters_at_once(struct kunit *test)
{
	char name[64];
	int i;

	atomic_long_set(&runs, 0);
	atomic_long_set(&bad, 0);
	atomic_set(&failures, 0);
	for (i = 0; i < 4; i++) {
		static const char *const names[] = { "a", "b", "c", "d" };

		KUNIT_ASSERT_EQ(test, kt_thread(KT_ANY_CPU, register_own, (void *)names[i]), 0);
	}
	KUNIT_ASSERT_EQ(test, kt_fire(50), 0);
	kt_sleep(400);
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&bad), 0L);
	KUNIT_EXPECT_GT(test, atomic_long_read(&runs), 0L);
	for (i = 1; i < nmiprof_core_max_handlers(); i++)
		KUNIT_EXPECT_EQ(test, nmiprof_core_handler_name(i, name, sizeof(name)), -ENOENT);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_handler_gets_its_context_and_the_nmi),
	KUNIT_CASE_PARAM(refusals_change_nothing, refusal_gen_params),
	KUNIT_CASE(fifteen_handlers_and_no_more),
	KUNIT_CASE(counts_are_exact_under_fire),
	KUNIT_CASE(the_default_handler_counts_when_there_is_no_other),
	KUNIT_CASE_PARAM(removal_waits_for_a_handler_that_runs, kt_grace_gen_params),
	KUNIT_CASE_PARAM(data_may_be_freed_at_once, kt_grace_gen_params),
	KUNIT_CASE(several_updaters_at_once),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_registry",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, the registry");
MODULE_LICENSE("GPL");
