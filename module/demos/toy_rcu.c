// SPDX-License-Identifier: GPL-2.0-only
/* The toy RCU beside the kernel's: readers with preemption off, updaters wait (spec D8). */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "demos/toy_rcu.h"
#include "experiment.h"

static const char *const ways[] = {
	"toy", "synchronize_rcu", "synchronize_rcu_expedited", NULL
};

/* Readers */

static void reader_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 100;
}

static unsigned int reader_turn(struct demo_thread *thread)
{
	toy_rcu_read();
	return 0;
}

static const struct demo_role reader = {
	.name = "reader",
	.plural = "readers",
	.count = 3,
	.init = reader_init,
	.turn = reader_turn,
};

/* Writers */

static void writer_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 10000;
}

static unsigned int writer_turn(struct demo_thread *thread)
{
	return toy_rcu_update() != 0;
}

static const struct demo_role writer = {
	.name = "writer",
	.plural = "writers",
	.count = 1,
	.init = writer_init,
	.turn = writer_turn,
};

/* All */

static int setting_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = toy_rcu_get(what);
	return 0;
}

static int setting_set(struct kobject *owner, unsigned int what, u64 value)
{
	toy_rcu_set(what, value);
	return 0;
}

enum { READS, SEEN_FREED, CPUS, UPDATES };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct toy_rcu_counts counts;

	toy_rcu_count(&counts);
	*value = what == READS ? counts.reads :
		 what == SEEN_FREED ? counts.seen_freed :
		 what == CPUS ? counts.cpus : counts.updates[what - UPDATES];
	return 0;
}

/* @what: way * DEMO_MEASURES + measure */
static int wait_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_durations seen;

	toy_rcu_waits(what / DEMO_MEASURES, &seen);
	return demo_durations_get(&seen, what % DEMO_MEASURES, value);
}

/* lint: COMPLEX_MACRO: items of a list */
#define OF_WAY(_way, _WAY) \
	DEMO_VALUE_RO(updates_by_##_way, UPDATES + TOY_RCU_##_WAY, count_get), \
	DEMO_VALUE_RO(wait_mean_ns_of_##_way, \
		      TOY_RCU_##_WAY * DEMO_MEASURES + DEMO_MEAN_NS, wait_get), \
	DEMO_VALUE_RO(wait_longest_ns_of_##_way, \
		      TOY_RCU_##_WAY * DEMO_MEASURES + DEMO_LONGEST_NS, wait_get)

static struct demo_value values[] = {
	DEMO_VALUE_RW(way, TOY_RCU_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(section_us, TOY_RCU_SECTION_US, setting_get, setting_set,
		      .most = TOY_RCU_MAX_SECTION_US),
	DEMO_VALUE_RO(reads, READS, count_get),
	DEMO_VALUE_RO(seen_freed, SEEN_FREED, count_get),
	DEMO_VALUE_RO(cpus, CPUS, count_get),
	OF_WAY(toy, TOY),
	OF_WAY(synchronize_rcu, SYNCHRONIZE),
	OF_WAY(synchronize_rcu_expedited, EXPEDITED),
	{ }
};

static int waits_show(struct seq_file *file, void *unused)
{
	struct demo_durations seen;
	int way;

	demo_durations_head(file);
	for (way = 0; way < TOY_RCU_WAYS; way++) {
		toy_rcu_waits(way, &seen);
		demo_durations_dump(file, ways[way], &seen);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(waits);

static void dump(struct dentry *folder)
{
	debugfs_create_file("waits", 0400, folder, NULL, &waits_fops);
}

struct demo_experiment demo_toy_rcu = {
	.name = "toy_rcu",
	.roles = { &reader, &writer },
	.values = values,
	.init = toy_rcu_init,
	.prepare = toy_rcu_begin,
	.dismantle = toy_rcu_end,
	.dump = dump,
	.objects = toy_rcu_objects,
};
