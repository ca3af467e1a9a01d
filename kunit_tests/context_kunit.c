// SPDX-License-Identifier: GPL-2.0-only
/*
 * The context checks of debug builds (make DEBUG=1): each is called where it must not
 * be, and where it may be; what it says comes to a counter instead of the log.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "check.h"
#include "glue_kunit.h"
#include "shim/memory.h"
#include "support_kunit.h"

#ifdef NMIPROF_DEBUG

static atomic_t wrong;
static const char *what_was_wrong;

static void count_wrong(const char *what)
{
	what_was_wrong = what;
	atomic_inc(&wrong);
}

/* --- Where something is called ---------------------------------------------- */

typedef void (*call_fn)(void);

static void in_process(call_fn fn)
{
	fn();
}

static void in_preempt_off(call_fn fn)
{
	preempt_disable();
	fn();
	preempt_enable();
}

static void in_irqs_off(call_fn fn)
{
	unsigned long flags;

	local_irq_save(flags);
	fn();
	local_irq_restore(flags);
}

static void in_read_section(call_fn fn)
{
	rcu_read_lock();
	fn();
	rcu_read_unlock();
}

static void call(void *fn)
{
	((call_fn)fn)();
}

static void in_hard_irq(call_fn fn)
{
	smp_call_function_single(1, call, fn, 1);
}

static int in_nmi_err;

static void in_an_nmi(call_fn fn)
{
	in_nmi_err = kt_in_nmi(1, call, fn);
}

/* --- What says that it must be in one of them ------------------------------- */

enum { PROCESS, PREEMPT_OFF, IRQS_OFF, READ_SECTION, HARD_IRQ, NMI, PLACES };

static void (*const places[PLACES])(call_fn fn) = {
	in_process, in_preempt_off, in_irqs_off, in_read_section, in_hard_irq, in_an_nmi,
};

#define MAY_BE(place) (1 << (place))
#define IRQ (MAY_BE(IRQS_OFF) | MAY_BE(HARD_IRQ))

static const struct rule {
	const char *name;
	call_fn fn;
	unsigned int right; /* places */
	const char *says;
} rules[] = {
	{ "shim_may_sleep", shim_assert_may_sleep, MAY_BE(PROCESS), "not where" },
	{ "shim_in_irq", shim_assert_in_irq, IRQ, "interrupt" },
	{ "shim_in_nmi", shim_assert_in_nmi, MAY_BE(NMI), "NMI" },
	{ "core_process", kt_enter_process, MAY_BE(PROCESS), "not where" },
	{ "core_irq", kt_enter_irq, IRQ, "interrupt" },
	{ "core_nmi", kt_enter_nmi, MAY_BE(NMI), "NMI" },
};

static void describe_rule(const struct rule *rule, char *desc)
{
	strscpy(desc, rule->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rule, rules, describe_rule);

static void each_place_is_told_apart(struct kunit *test)
{
	const struct rule *rule = test->param_value;
	int place;

	for (place = 0; place < PLACES; place++) {
		const int expected = !(rule->right & MAY_BE(place));

		in_nmi_err = 0;
		atomic_set(&wrong, 0);
		WRITE_ONCE(shim_context_wrong, count_wrong);
		places[place](rule->fn);
		WRITE_ONCE(shim_context_wrong, NULL);
		KUNIT_EXPECT_EQ(test, in_nmi_err, 0);
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&wrong), expected, "place %d", place);
	}
}

/* --- Shims that do something ------------------------------------------------ */

static void free_nothing(void)
{
	shim_free(NULL);
}

static void allocate_nothing(void)
{
	shim_free(shim_alloc(0, 0));
}

/* With interrupts off it would be right. */
static void request(void)
{
	nmiprof_core_request(0, 0);
}

static const struct misuse {
	const char *name;
	call_fn fn;
	unsigned int place;
	int times;
} misuses[] = {
	{ "free_in_read_section", free_nothing, READ_SECTION, 1 },
	{ "free_in_nmi", free_nothing, NMI, 1 },
	{ "alloc_with_irqs_off", allocate_nothing, IRQS_OFF, 2 },
	{ "request_in_process", request, PROCESS, 1 },
	{ "request_in_nmi", request, NMI, 1 },
};

static void describe_misuse(const struct misuse *misuse, char *desc)
{
	strscpy(desc, misuse->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(misuse, misuses, describe_misuse);

static void misuse_is_noticed(struct kunit *test)
{
	const struct misuse *misuse = test->param_value;

	atomic_set(&wrong, 0);
	in_nmi_err = 0;
	WRITE_ONCE(shim_context_wrong, count_wrong);
	places[misuse->place](misuse->fn);
	WRITE_ONCE(shim_context_wrong, NULL);
	KUNIT_EXPECT_EQ(test, in_nmi_err, 0);
	KUNIT_EXPECT_GE(test, atomic_read(&wrong), misuse->times);
}

/* Everything that the other suites do is right: it is checked as it runs. */
static void ordinary_use_is_right(struct kunit *test)
{
	struct kt_report got;

	atomic_set(&wrong, 0);
	WRITE_ONCE(shim_context_wrong, count_wrong);
	KUNIT_EXPECT_EQ(test, kt_rate(5000), 0);
	KUNIT_EXPECT_EQ(test, kt_enable(), 0);
	KUNIT_EXPECT_EQ(test, kt_fire(50), 0);
	kt_sleep(50);
	KUNIT_EXPECT_EQ(test, kt_report(1, &got), 0);
	KT_EXPECT_BALANCED(test);
	kt_threads_stop();
	kt_disable();
	WRITE_ONCE(shim_context_wrong, NULL);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&wrong), 0, "%s",
			    atomic_read(&wrong) ? what_was_wrong : "");
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(each_place_is_told_apart, rule_gen_params),
	KUNIT_CASE_PARAM(misuse_is_noticed, misuse_gen_params),
	KUNIT_CASE(ordinary_use_is_right),
	{ }
};

#else

static void checks_are_there(struct kunit *test)
{
	kunit_skip(test, "needs a build with DEBUG=1");
}

static struct kunit_case cases[] = { KUNIT_CASE(checks_are_there), { } };

#endif

static struct kunit_suite suite = {
	.name = "nmiprof_context",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, context checks of debug builds");
MODULE_LICENSE("GPL");
