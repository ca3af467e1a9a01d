// SPDX-License-Identifier: GPL-2.0-only
/* The person list: readers look for a winner, writers replace persons (spec D1 to D3). */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/printk.h>

#include "demos/persons.h"
#include "experiment.h"

#define MOST_UNDER_LOCK 1000000u /* persons */

/* So many while it runs. Experiment's mutex. */
static ulong size = 100000;
module_param_named(persons, size, ulong, 0);
MODULE_PARM_DESC(persons, "Persons in the list, 1 to 10000000 (default 100000)");

static const char *const contests[] = { "money_per_age", "money_per_iq", "iq_minus_age", NULL };
static const char *const ways[] = { "synchronize_rcu", "call_rcu", "kfree_rcu", NULL };
static const char *const protections[] = { "rcu", "rwlock", "spinlock", NULL };

/* Readers */

struct reader_data {
	unsigned int contest; /* what it looks for */
	struct persons_outcome seen; /* in the latest walk; thread's lock */
};

static struct reader_data *of_reader(struct demo_thread *thread)
{
	return thread->of_role;
}

static void reader_init(struct demo_thread *thread)
{
	static const u64 interval_us[] = { 1000000, 400000, 700000 };

	thread->cpu = thread->nr;
	of_reader(thread)->contest = thread->nr % ARRAY_SIZE(interval_us);
	thread->interval_us = interval_us[thread->nr % ARRAY_SIZE(interval_us)];
}

static unsigned int reader_turn(struct demo_thread *thread)
{
	struct persons_outcome seen;

	persons_scan(READ_ONCE(of_reader(thread)->contest), &thread->stopping, &seen);
	if (READ_ONCE(thread->stopping))
		return 0;
	spin_lock(&thread->lock);
	of_reader(thread)->seen = seen;
	spin_unlock(&thread->lock);
	return 0;
}

enum { CONTEST, WINNER, WINNER_AGE, WINNER_IQ, WINNER_MONEY, PERSONS, SKIPPED };

static int reader_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);
	struct persons_outcome seen;

	spin_lock(&thread->lock);
	seen = of_reader(thread)->seen;
	spin_unlock(&thread->lock);
	switch (what) {
	case CONTEST:
		*value = READ_ONCE(of_reader(thread)->contest);
		return 0;
	case PERSONS:
		*value = seen.persons;
		return 0;
	case SKIPPED:
		*value = seen.skipped;
		return 0;
	case WINNER:
		*value = seen.winner.num;
		break;
	case WINNER_AGE:
		*value = seen.winner.age;
		break;
	case WINNER_IQ:
		*value = seen.winner.iq;
		break;
	default:
		*value = seen.winner.money;
	}
	return seen.any ? 0 : -ENODATA;
}

static int reader_set(struct kobject *owner, unsigned int what, u64 value)
{
	WRITE_ONCE(of_reader(demo_thread_of(owner))->contest, value);
	return 0;
}

static struct demo_value reader_values[] = {
	DEMO_VALUE_RW(contest, CONTEST, reader_get, reader_set, .names = contests),
	DEMO_VALUE_RO(winner, WINNER, reader_get),
	DEMO_VALUE_RO(winner_age, WINNER_AGE, reader_get),
	DEMO_VALUE_RO(winner_iq, WINNER_IQ, reader_get),
	DEMO_VALUE_RO(winner_money, WINNER_MONEY, reader_get),
	DEMO_VALUE_RO(persons, PERSONS, reader_get),
	DEMO_VALUE_RO(skipped, SKIPPED, reader_get),
	{ }
};

static const struct demo_role reader = {
	.name = "reader",
	.plural = "readers",
	.count = 3,
	.init = reader_init,
	.turn = reader_turn,
	.values = reader_values,
	.data_bytes = sizeof(struct reader_data),
};

/* Writers */

static void writer_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 5000;
}

static unsigned int writer_turn(struct demo_thread *thread)
{
	return persons_update() != 0;
}

static const struct demo_role writer = {
	.name = "writer",
	.plural = "writers",
	.count = 1,
	.init = writer_init,
	.turn = writer_turn,
};

/* All */

static int size_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = READ_ONCE(size);
	return 0;
}

/*
 * Who waits for a lock that a reader holds for a whole walk does so with preemption off: with
 * longer lists and many readers longer than the kernel's watchdog allows.
 */
static int check_walk(u64 persons, u64 protection)
{
	if (protection == PERSONS_RCU || persons <= MOST_UNDER_LOCK)
		return 0;
	pr_err_ratelimited("refused: %llu persons: readers can use a lock for %u at most\n",
			   persons, MOST_UNDER_LOCK);
	return -ERANGE;
}

static int size_set(struct kobject *owner, unsigned int what, u64 value)
{
	int err;

	mutex_lock(&demo_persons.mutex);
	err = check_walk(value, persons_get(PERSONS_PROTECTION));
	if (!err && demo_persons.running) {
		err = persons_resize(value);
		if (err)
			pr_err_ratelimited("refused: size %llu: not enough memory\n", value);
	}
	if (!err)
		WRITE_ONCE(size, value);
	mutex_unlock(&demo_persons.mutex);
	return err;
}

static int readers_use_set(struct kobject *owner, unsigned int what, u64 value)
{
	int err;

	mutex_lock(&demo_persons.mutex);
	err = check_walk(size, value);
	if (!err)
		persons_set(what, value);
	mutex_unlock(&demo_persons.mutex);
	return err;
}

static int setting_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = persons_get(what);
	return 0;
}

static int setting_set(struct kobject *owner, unsigned int what, u64 value)
{
	persons_set(what, value);
	return 0;
}

enum { WAITING, THROTTLED, REPLACING_MEAN_NS, UPDATES };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct persons_counts counts;

	persons_count(&counts);
	switch (what) {
	case WAITING:
		*value = counts.waiting;
		break;
	case THROTTLED:
		*value = counts.throttled;
		break;
	case REPLACING_MEAN_NS:
		*value = counts.replacing_mean_ns;
		break;
	default:
		*value = counts.updates[what - UPDATES];
	}
	return 0;
}

/* @what: way * DEMO_MEASURES + measure */
static int grace_period_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_durations seen;

	persons_grace_periods(what / DEMO_MEASURES, &seen);
	return demo_durations_get(&seen, what % DEMO_MEASURES, value);
}

/* lint: COMPLEX_MACRO: items of a list */
#define OF_WAY(_way, _WAY) \
	DEMO_VALUE_RO(updates_by_##_way, UPDATES + PERSONS_##_WAY, count_get), \
	DEMO_VALUE_RO(grace_period_mean_ns_of_##_way, \
		      PERSONS_##_WAY * DEMO_MEASURES + DEMO_MEAN_NS, grace_period_get), \
	DEMO_VALUE_RO(grace_period_longest_ns_of_##_way, \
		      PERSONS_##_WAY * DEMO_MEASURES + DEMO_LONGEST_NS, grace_period_get)

static struct demo_value values[] = {
	DEMO_VALUE_RW(size, 0, size_get, size_set, .least = 1, .most = PERSONS_MAX_SIZE),
	DEMO_VALUE_RW(reclaim, PERSONS_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(readers_use, PERSONS_PROTECTION, setting_get, readers_use_set,
		      .names = protections),
	DEMO_VALUE_RW(backlog_max, PERSONS_BACKLOG_MAX, setting_get, setting_set),
	DEMO_VALUE_RO(waiting, WAITING, count_get),
	DEMO_VALUE_RO(throttled, THROTTLED, count_get),
	DEMO_VALUE_RO(replacing_mean_ns, REPLACING_MEAN_NS, count_get),
	OF_WAY(synchronize_rcu, SYNCHRONIZE),
	OF_WAY(call_rcu, CALL),
	OF_WAY(kfree_rcu, KFREE),
	{ }
};

static int prepare(void)
{
	/* It may be the module's parameter. */
	return demo_check_range(&values[0], size) ?: persons_resize(size);
}

struct demo_experiment demo_persons = {
	.name = "persons",
	.roles = { &reader, &writer },
	.values = values,
	.init = persons_init,
	.prepare = prepare,
	.dismantle = persons_clear,
	.dump = persons_dump,
	.objects = persons_objects,
};
