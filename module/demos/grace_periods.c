// SPDX-License-Identifier: GPL-2.0-only
/* What waiting for grace periods costs, and what readers see meanwhile (spec D10). */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "demos/grace_periods.h"
#include "experiment.h"

/* Far below what the kernel calls a stall of RCU (21 s, or 3 s where it is set lowest). */
#define MAX_HOLD_US 1000000

static const char *const ways[] = {
	"synchronize_rcu", "synchronize_rcu_expedited", "call_rcu", "polled", NULL
};

enum {
	HOLD_US, LOOKS, STALE_VERSIONS_MEAN, STALE_VERSIONS_LONGEST, STALE_MEAN_NS,
	STALE_LONGEST_NS,
};

static int staleness_value(const struct grace_periods_staleness *seen, unsigned int what,
			   u64 *value)
{
	*value = what == LOOKS ? seen->looks :
		 what == STALE_VERSIONS_MEAN ? seen->versions_mean :
		 what == STALE_VERSIONS_LONGEST ? seen->versions_longest :
		 what == STALE_MEAN_NS ? seen->mean_ns : seen->longest_ns;
	return what == LOOKS || seen->looks ? 0 : -ENODATA;
}

/* lint: COMPLEX_MACRO, MACRO_ARG_REUSE: entries of a table */
#define STALENESS(_get) \
	DEMO_VALUE_RO(looks, LOOKS, _get), \
	DEMO_VALUE_RO(stale_versions_mean, STALE_VERSIONS_MEAN, _get, .milli = true), \
	DEMO_VALUE_RO(stale_versions_longest, STALE_VERSIONS_LONGEST, _get), \
	DEMO_VALUE_RO(stale_mean_ns, STALE_MEAN_NS, _get), \
	DEMO_VALUE_RO(stale_longest_ns, STALE_LONGEST_NS, _get)

/* Readers */

struct reader_data {
	u64 hold_us; /* how long it stays in its section */
};

static struct reader_data *of_reader(struct demo_thread *thread)
{
	return thread->of_role;
}

static void reader_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 1000;
}

static unsigned int reader_turn(struct demo_thread *thread)
{
	grace_periods_look(thread->nr, READ_ONCE(of_reader(thread)->hold_us), &thread->stopping);
	return 0;
}

static int reader_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);
	struct grace_periods_staleness seen;

	if (what == HOLD_US) {
		*value = READ_ONCE(of_reader(thread)->hold_us);
		return 0;
	}
	grace_periods_seen_by(thread->nr, &seen);
	return staleness_value(&seen, what, value);
}

static int reader_set(struct kobject *owner, unsigned int what, u64 value)
{
	WRITE_ONCE(of_reader(demo_thread_of(owner))->hold_us, value);
	return 0;
}

static struct demo_value reader_values[] = {
	DEMO_VALUE_RW(hold_us, HOLD_US, reader_get, reader_set, .most = MAX_HOLD_US),
	STALENESS(reader_get),
	{ }
};

static_assert(DEMO_MAX_THREADS <= GRACE_PERIODS_MAX_READERS);

static const struct demo_role reader = {
	.name = "reader",
	.plural = "readers",
	.count = 3,
	.init = reader_init,
	.turn = reader_turn,
	.values = reader_values,
	.data_bytes = sizeof(struct reader_data),
};

/* Waiters */

static void waiter_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 10000;
}

static unsigned int waiter_turn(struct demo_thread *thread)
{
	return grace_periods_renew() != 0;
}

static const struct demo_role waiter = {
	.name = "waiter",
	.plural = "waiters",
	.count = 1,
	.init = waiter_init,
	.turn = waiter_turn,
};

/* All */

static int way_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = grace_periods_get_way();
	return 0;
}

static int way_set(struct kobject *owner, unsigned int what, u64 value)
{
	grace_periods_set_way(value);
	return 0;
}

static int all_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct grace_periods_staleness seen;

	grace_periods_seen_by_all(&seen);
	return staleness_value(&seen, what, value);
}

enum { RETURNED_EARLY, SEEN_FREED };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct grace_periods_counts counts;

	grace_periods_count(&counts);
	*value = what == RETURNED_EARLY ? counts.returned_early : counts.seen_freed;
	return 0;
}

/* @what: way * DEMO_MEASURES + measure */
static int wait_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_durations seen;

	grace_periods_waits(what / DEMO_MEASURES, &seen);
	return demo_durations_get(&seen, what % DEMO_MEASURES, value);
}

/* lint: COMPLEX_MACRO: entries of a table */
#define OF_WAY(_way, _WAY) \
	DEMO_VALUE_RO(waits_by_##_way, \
		      GRACE_PERIODS_##_WAY * DEMO_MEASURES + DEMO_COUNT, wait_get), \
	DEMO_VALUE_RO(grace_period_mean_ns_of_##_way, \
		      GRACE_PERIODS_##_WAY * DEMO_MEASURES + DEMO_MEAN_NS, wait_get), \
	DEMO_VALUE_RO(grace_period_longest_ns_of_##_way, \
		      GRACE_PERIODS_##_WAY * DEMO_MEASURES + DEMO_LONGEST_NS, wait_get)

static struct demo_value values[] = {
	DEMO_VALUE_RW(way, 0, way_get, way_set, .names = ways),
	STALENESS(all_get),
	DEMO_VALUE_RO(returned_early, RETURNED_EARLY, count_get),
	DEMO_VALUE_RO(seen_freed, SEEN_FREED, count_get),
	OF_WAY(synchronize_rcu, SYNCHRONIZE),
	OF_WAY(synchronize_rcu_expedited, EXPEDITED),
	OF_WAY(call_rcu, CALL),
	OF_WAY(polled, POLLED),
	{ }
};

static int grace_periods_show(struct seq_file *file, void *unused)
{
	struct demo_durations seen;
	int way;

	demo_durations_head(file);
	for (way = 0; way < GRACE_PERIODS_WAYS; way++) {
		grace_periods_waits(way, &seen);
		demo_durations_dump(file, ways[way], &seen);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(grace_periods);

static void dump(struct dentry *folder)
{
	debugfs_create_file("grace_periods", 0400, folder, NULL, &grace_periods_fops);
}

struct demo_experiment demo_grace_periods = {
	.name = "grace_periods",
	.roles = { &reader, &waiter },
	.values = values,
	.init = grace_periods_init,
	.prepare = grace_periods_start,
	.dismantle = grace_periods_stop,
	.dump = dump,
	.objects = grace_periods_objects,
};
