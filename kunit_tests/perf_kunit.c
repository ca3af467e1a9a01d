// SPDX-License-Identifier: GPL-2.0-only
/*
 * perf's events on the PMU nmi_timer, opened as the kernel opens them for itself: which
 * samples come, and that none comes when perf has been told that the event is off.
 */
#include <linux/err.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "support_kunit.h"

#define TARGET 1
#define ROUNDS 200

/* An event, and what its handler counts into; freed at once when it has been released. */
struct seen {
	struct list_head list;
	struct perf_event *event;
	unsigned long samples; /* writer: the NMI handler of the event's CPU */
	unsigned long elsewhere; /* on another CPU than the event's */
};

static void on_sample(struct perf_event *event, struct perf_sample_data *data,
		      struct pt_regs *regs)
{
	struct seen *seen = event->overflow_handler_context;

	WRITE_ONCE(seen->samples, seen->samples + 1);
	if (smp_processor_id() != TARGET)
		WRITE_ONCE(seen->elsewhere, seen->elsewhere + 1);
}

static LIST_HEAD(opened); /* what a failed test leaves, end() releases */

static void release(struct seen *seen)
{
	list_del(&seen->list);
	perf_event_release_kernel(seen->event);
	kfree(seen);
}

/* ERR_PTR(): perf refused it. */
static struct seen *try_open(struct kunit *test, const struct perf_event_attr *like)
{
	struct perf_event_attr attr = *like;
	struct perf_event *event;
	char text[16] = { };
	struct seen *seen;

	KUNIT_ASSERT_GT(test, kt_get("/sys/bus/event_source/devices/nmi_timer/type", text,
				     sizeof(text)), 0L);
	KUNIT_ASSERT_EQ(test, kstrtouint(text, 10, &attr.type), 0);
	seen = kzalloc(sizeof(*seen), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	attr.size = sizeof(attr);
	event = perf_event_create_kernel_counter(&attr, TARGET, NULL, on_sample, seen);
	if (IS_ERR(event)) {
		kfree(seen);
		return ERR_CAST(event);
	}
	seen->event = event;
	list_add(&seen->list, &opened);
	return seen;
}

static struct seen *must_open(struct kunit *test, const struct perf_event_attr *like)
{
	struct seen *seen = try_open(test, like);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(seen), "error %ld", PTR_ERR(seen));
	return seen;
}

static void end(struct kunit *test)
{
	struct seen *seen, *next;

	list_for_each_entry_safe(seen, next, &opened, list)
		release(seen);
	kt_exit(test);
}

/* Ends when so many have come; false: two seconds went by. */
static bool await_samples(const struct seen *seen, unsigned long samples)
{
	int i;

	for (i = 0; i < 200 && READ_ONCE(seen->samples) < samples; i++)
		kt_sleep(10);
	return READ_ONCE(seen->samples) >= samples;
}

static void each_sample_is_counted_once(struct kunit *test)
{
	const struct perf_event_attr attr = { .sample_period = NSEC_PER_MSEC };
	struct kt_ledger was, is;
	u64 count, enabled, running;
	struct seen *seen;

	KUNIT_ASSERT_EQ(test, kt_ledger_total(&was), 0);
	seen = must_open(test, &attr);
	KUNIT_EXPECT_TRUE(test, await_samples(seen, 20));
	perf_event_disable(seen->event);
	count = perf_event_read_value(seen->event, &enabled, &running);
	KUNIT_ASSERT_EQ(test, kt_ledger_total(&is), 0);
	KUNIT_EXPECT_EQ(test, count, (u64)seen->samples);
	KUNIT_EXPECT_EQ(test, is.perf_delivered - was.perf_delivered, (shim_u64)seen->samples);
	KUNIT_EXPECT_EQ(test, seen->elsewhere, 0UL);
	KUNIT_EXPECT_EQ(test, enabled, running);
	KT_EXPECT_BALANCED(test);
	release(seen);
}

static const struct refused {
	const char *desc;
	struct perf_event_attr attr;
	int err;
} refusals[] = {
	{ "too_often", { .sample_period = 1000 }, -EINVAL },
	{ "too_seldom", { .sample_period = 3601 * NSEC_PER_SEC }, -ERANGE },
	{ "config", { .sample_period = NSEC_PER_MSEC, .config = 2 }, -EINVAL },
	{ "config1", { .sample_period = NSEC_PER_MSEC, .config1 = 1 }, -EINVAL },
	{ "precise", { .sample_period = NSEC_PER_MSEC, .precise_ip = 1 }, -EOPNOTSUPP },
};

static void describe_refused(const struct refused *r, char *desc)
{
	strscpy(desc, r->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refused, refusals, describe_refused);

static void what_cannot_be_is_refused(struct kunit *test)
{
	const struct refused *r = test->param_value;
	struct seen *seen = try_open(test, &r->attr);

	KUNIT_ASSERT_TRUE(test, IS_ERR(seen));
	KUNIT_EXPECT_EQ(test, PTR_ERR(seen), (long)r->err);
}

static const struct excluded {
	const char *desc;
	struct perf_event_attr attr;
} exclusions[] = {
	{ "kernel", { .sample_period = NSEC_PER_MSEC, .exclude_kernel = 1 } },
	/* The CPU spins with interrupts off, in kernel text. */
	{ "user", { .sample_period = NSEC_PER_MSEC, .exclude_user = 1 } },
	{ "irqs_off", { .sample_period = NSEC_PER_MSEC, .config = 1 } },
};

static void describe_excluded(const struct excluded *e, char *desc)
{
	strscpy(desc, e->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(excluded, exclusions, describe_excluded);

/* On a CPU that spins in the kernel with interrupts off: all or nothing. */
static void what_is_excluded_is_not_sampled(struct kunit *test)
{
	const struct excluded *e = test->param_value;
	struct seen *seen = must_open(test, &e->attr);
	struct kt_ledger was, is;
	unsigned long before;

	KUNIT_ASSERT_EQ(test, kt_block(TARGET), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(TARGET, &was), 0);
	before = READ_ONCE(seen->samples);
	kt_sleep(100);
	KUNIT_ASSERT_EQ(test, kt_ledger(TARGET, &is), 0);
	KUNIT_EXPECT_GT(test, is.perf_due, was.perf_due);
	if (e->attr.exclude_kernel) {
		KUNIT_EXPECT_EQ(test, READ_ONCE(seen->samples), before);
		KUNIT_EXPECT_GT(test, is.perf_excluded, was.perf_excluded);
	} else {
		KUNIT_EXPECT_GT(test, READ_ONCE(seen->samples), before);
		KUNIT_EXPECT_EQ(test, is.perf_excluded, was.perf_excluded);
	}
	kt_unblock();
	release(seen);
}

/* Once perf_event_disable() has returned no NMI is in the event's handler. */
static void off_means_off(struct kunit *test)
{
	const struct perf_event_attr attr = { .sample_period = 50 * NSEC_PER_USEC };
	struct seen *seen = must_open(test, &attr);
	unsigned long before;
	int i, late = 0;

	KUNIT_ASSERT_EQ(test, kt_fire(20), 0);
	for (i = 0; i < ROUNDS; i++) {
		perf_event_disable(seen->event);
		before = READ_ONCE(seen->samples);
		kt_sleep(1);
		late += READ_ONCE(seen->samples) != before;
		perf_event_enable(seen->event);
	}
	kt_threads_stop();
	KUNIT_EXPECT_EQ(test, late, 0);
	KUNIT_EXPECT_TRUE(test, await_samples(seen, READ_ONCE(seen->samples) + 10));
	release(seen);
	KT_EXPECT_BALANCED(test);
}

/* What a released event had is freed at once: KASAN sees a late look at it. */
static void released_means_gone(struct kunit *test)
{
	const struct perf_event_attr attr = { .sample_period = 50 * NSEC_PER_USEC };
	int i;

	KUNIT_ASSERT_EQ(test, kt_fire(20), 0);
	for (i = 0; i < ROUNDS / 4; i++) {
		struct seen *seen = must_open(test, &attr);

		KUNIT_EXPECT_TRUE(test, await_samples(seen, 2));
		release(seen);
	}
	kt_threads_stop();
	KT_EXPECT_BALANCED(test);
}

/* Both are served by the same ticks, the slower one by every tenth. */
static void two_rates_share_the_ticks(struct kunit *test)
{
	const struct perf_event_attr fast = { .sample_period = NSEC_PER_MSEC };
	const struct perf_event_attr slow = { .sample_period = 10 * NSEC_PER_MSEC };
	struct seen *b = must_open(test, &slow);
	struct seen *a = must_open(test, &fast);
	unsigned long a0, b0;

	KUNIT_EXPECT_TRUE(test, await_samples(a, 10));
	a0 = READ_ONCE(a->samples);
	b0 = READ_ONCE(b->samples);
	KUNIT_EXPECT_TRUE(test, await_samples(a, a0 + 200));
	perf_event_disable(b->event);
	perf_event_disable(a->event);
	KUNIT_EXPECT_LE(test, abs((long)(a->samples - a0) - 10 * (long)(b->samples - b0)), 40L);
	release(a);
	release(b);
}

static void the_period_changes_meanwhile(struct kunit *test)
{
	const struct perf_event_attr attr = { .sample_period = 100 * NSEC_PER_MSEC };
	struct seen *seen = must_open(test, &attr);

	KUNIT_EXPECT_EQ(test, perf_event_period(seen->event, NSEC_PER_MSEC), 0);
	KUNIT_EXPECT_TRUE(test, await_samples(seen, 100));
	KUNIT_EXPECT_EQ(test, perf_event_period(seen->event, 1000), -EINVAL);
	KUNIT_EXPECT_TRUE(test, await_samples(seen, READ_ONCE(seen->samples) + 100));
	release(seen);
}

static void the_profile_goes_on_beside(struct kunit *test)
{
	const struct perf_event_attr attr = { .sample_period = 500 * NSEC_PER_USEC };
	struct kt_ledger was, is;
	struct seen *seen;

	KUNIT_ASSERT_EQ(test, kt_rate(100), 0);
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	seen = must_open(test, &attr);
	KUNIT_ASSERT_EQ(test, kt_ledger(TARGET, &was), 0);
	KUNIT_EXPECT_TRUE(test, await_samples(seen, 200));
	KUNIT_EXPECT_TRUE(test, kt_sampled(TARGET));
	KUNIT_ASSERT_EQ(test, kt_ledger(TARGET, &is), 0);
	KUNIT_EXPECT_GT(test, is.samples, was.samples);
	KUNIT_EXPECT_LT(test, is.samples - was.samples, is.perf_delivered - was.perf_delivered);
	release(seen);
	KUNIT_EXPECT_TRUE(test, kt_sampled(TARGET));
	KT_EXPECT_BALANCED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(each_sample_is_counted_once),
	KUNIT_CASE_PARAM(what_cannot_be_is_refused, refused_gen_params),
	KUNIT_CASE_PARAM(what_is_excluded_is_not_sampled, excluded_gen_params),
	KUNIT_CASE(off_means_off),
	KUNIT_CASE(released_means_gone),
	KUNIT_CASE(two_rates_share_the_ticks),
	KUNIT_CASE(the_period_changes_meanwhile),
	KUNIT_CASE(the_profile_goes_on_beside),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_perf",
	.init = kt_init,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, perf's events");
MODULE_LICENSE("GPL");
