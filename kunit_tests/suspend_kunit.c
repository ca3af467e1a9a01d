// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend: the kernel's own, as far as its test levels go (CONFIG_PM_DEBUG: tasks are
 * frozen, devices suspended, CPUs taken down, and all of it undone), and the core's
 * part of it alone.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/suspend.h>

#include "shim/cpu.h"
#include "support_kunit.h"

static int put(const char *path, const char *text)
{
	const ssize_t done = kt_put(path, text, strlen(text));

	return done < 0 ? done : 0;
}

/*
 * The task that loads this module waits for the tests without being interruptible: the
 * freezer must leave it alone. This is called by that task itself.
 */
static int begin(struct kunit_suite *suite)
{
	current->flags |= PF_NOFREEZE;
	return 0;
}

static void end(struct kunit_suite *suite)
{
	current->flags &= ~PF_NOFREEZE;
}

/* The ledger when all were told of a suspend, and before all are told of its end. */
static struct kt_ledger asleep, awake;
static int told;

static int watch(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_SUSPEND_PREPARE)
		told |= 1;
	if (event == PM_POST_SUSPEND && !kt_ledger_total(&awake))
		told |= 2;
	return NOTIFY_DONE;
}

static int watch_last(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_SUSPEND_PREPARE && !kt_ledger_total(&asleep))
		told |= 4;
	return NOTIFY_DONE;
}

static struct notifier_block first = { .notifier_call = watch, .priority = 1000 };
static struct notifier_block last = { .notifier_call = watch_last, .priority = -1000 };

static const char *const levels[] = { "freezer", "devices", "processors" };

static void describe_level(const char *const *level, char *desc)
{
	strscpy(desc, *level, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(level, levels, describe_level);

static void expect_sampling(struct kunit *test)
{
	struct kt_ledger was, is;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &was), 0);
		KUNIT_EXPECT_TRUE_MSG(test, kt_sampled(cpu), "CPU %u", cpu);
		KUNIT_ASSERT_EQ(test, kt_ledger(cpu, &is), 0);
		KUNIT_EXPECT_EQ(test, is.lost, was.lost);
	}
	KT_EXPECT_BALANCED(test);
}

static void sampling_pauses_and_goes_on(struct kunit *test)
{
	const char *const *level = test->param_value;
	const bool deep = !strcmp(*level, "processors");
	int err;

	if (put("/sys/power/pm_test", *level))
		kunit_skip(test, "needs CONFIG_PM_DEBUG");
	KUNIT_ASSERT_EQ(test, put("/sys/module/suspend/parameters/pm_test_delay", "0"), 0);
	told = 0;
	KUNIT_ASSERT_EQ(test, register_pm_notifier(&first), 0);
	KUNIT_ASSERT_EQ(test, register_pm_notifier(&last), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(2000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	kt_sleep(20);
	err = pm_suspend(deep ? PM_SUSPEND_MEM : PM_SUSPEND_TO_IDLE);
	unregister_pm_notifier(&first);
	unregister_pm_notifier(&last);
	put("/sys/power/pm_test", "none");
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, told, 7);
	KUNIT_EXPECT_EQ(test, asleep.outstanding, 0UL);
	KUNIT_EXPECT_EQ(test, awake.due, asleep.due);
	KUNIT_EXPECT_EQ(test, awake.sent, asleep.sent);
	KUNIT_EXPECT_EQ(test, awake.handled, asleep.handled);
	KUNIT_EXPECT_EQ(test, nmiprof_core_enabled(), 1);
	expect_sampling(test);
}

static void suspend(void)
{
	shim_cpus_lock();
	nmiprof_core_suspend();
	shim_cpus_unlock();
}

static void resume(void)
{
	shim_cpus_lock();
	nmiprof_core_resume();
	shim_cpus_unlock();
}

static void under_fire(struct kunit *test)
{
	struct kt_ledger was, is;
	int i;

	KUNIT_ASSERT_EQ(test, kt_rate(10000), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	for (i = 0; i < 5; i++) {
		kt_sleep(15);
		suspend();
		KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
		kt_sleep(15);
		KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
		KUNIT_EXPECT_EQ(test, was.outstanding, 0UL);
		KUNIT_EXPECT_EQ(test, is.due, was.due);
		KUNIT_EXPECT_EQ(test, is.handled, was.handled);
		KT_EXPECT_BALANCED(test);
		resume();
	}
	expect_sampling(test);
}

static void settings_may_change_meanwhile(struct kunit *test)
{
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	suspend();
	KUNIT_EXPECT_EQ(test, kt_rate(3000), 0);
	KUNIT_EXPECT_EQ(test, kt_shape(4096, true), 0);
	KUNIT_EXPECT_EQ(test, kt_cpus("1"), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	kt_sleep(30);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
	resume();
	KUNIT_ASSERT_EQ(test, kt_ledger(0, &was), 0);
	KUNIT_EXPECT_TRUE(test, kt_sampled(1));
	KUNIT_ASSERT_EQ(test, kt_ledger(0, &is), 0);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
	KT_EXPECT_BALANCED(test);
}

static void off_before_and_after(struct kunit *test)
{
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	suspend();
	resume();
	kt_sleep(30);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, nmiprof_core_enabled(), 0);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
}

static void switched_off_meanwhile(struct kunit *test)
{
	struct kt_ledger was, is;

	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	suspend();
	kt_disable();
	resume();
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	kt_sleep(30);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, nmiprof_core_enabled(), 0);
	KUNIT_EXPECT_EQ(test, is.due, was.due);
	KUNIT_EXPECT_EQ(test, kt_enable(), 0);
	expect_sampling(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(sampling_pauses_and_goes_on, level_gen_params),
	KUNIT_CASE(under_fire),
	KUNIT_CASE(settings_may_change_meanwhile),
	KUNIT_CASE(off_before_and_after),
	KUNIT_CASE(switched_off_meanwhile),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_suspend",
	.suite_init = begin,
	.suite_exit = end,
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, suspend");
MODULE_LICENSE("GPL");
