// SPDX-License-Identifier: GPL-2.0-only
/* Objects in type-safe memory: readers look into slots, writers replace (spec D6). */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>

#include "demos/typesafe.h"
#include "experiment.h"

static const char *const ways[] = { "typesafe", "rcu", "global_lock", NULL };

/* In one turn: short, as a turn is not given up. */
#define READS_EACH 256
#define REPLACES_EACH 32

/* Readers */

static struct typesafe_reads *of_reader(struct demo_thread *thread)
{
	return thread->of_role; /* thread's lock */
}

static void reader_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 1000;
}

static void reader_turn(struct demo_thread *thread)
{
	struct typesafe_reads done;

	typesafe_read(READS_EACH, &done);
	spin_lock(&thread->lock);
	of_reader(thread)->done += done.done;
	of_reader(thread)->retries += done.retries;
	of_reader(thread)->reused += done.reused;
	spin_unlock(&thread->lock);
}

enum { READS, RETRIES, REUSED };

static u64 one_of(const struct typesafe_reads *reads, unsigned int what)
{
	return what == READS ? reads->done : what == RETRIES ? reads->retries : reads->reused;
}

static int reader_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);

	spin_lock(&thread->lock);
	*value = one_of(of_reader(thread), what);
	spin_unlock(&thread->lock);
	return 0;
}

static struct demo_value reader_values[] = {
	DEMO_VALUE_RO(reads, READS, reader_get),
	DEMO_VALUE_RO(retries, RETRIES, reader_get),
	DEMO_VALUE_RO(reused, REUSED, reader_get),
	{ }
};

static const struct demo_role reader = {
	.name = "reader",
	.plural = "readers",
	.count = 3,
	.init = reader_init,
	.turn = reader_turn,
	.values = reader_values,
	.data_bytes = sizeof(struct typesafe_reads),
};

/* Writers */

struct writer_data {
	shim_u64 handed; /* the core's; this thread's alone */
	u64 replaces; /* thread's lock */
};

static struct writer_data *of_writer(struct demo_thread *thread)
{
	return thread->of_role;
}

static void writer_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 1000;
}

static void writer_turn(struct demo_thread *thread)
{
	shim_u64 done = typesafe_replace(REPLACES_EACH, &of_writer(thread)->handed);

	spin_lock(&thread->lock);
	of_writer(thread)->replaces += done;
	thread->failed += done < REPLACES_EACH;
	spin_unlock(&thread->lock);
}

static int writer_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);

	spin_lock(&thread->lock);
	*value = of_writer(thread)->replaces;
	spin_unlock(&thread->lock);
	return 0;
}

static struct demo_value writer_values[] = {
	DEMO_VALUE_RO(replaces, 0, writer_get),
	{ }
};

static const struct demo_role writer = {
	.name = "writer",
	.plural = "writers",
	.count = 1,
	.init = writer_init,
	.turn = writer_turn,
	.values = writer_values,
	.data_bytes = sizeof(struct writer_data),
};

/* All */

static int setting_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = typesafe_get(what);
	return 0;
}

static int setting_set(struct kobject *owner, unsigned int what, u64 value)
{
	if (what == TYPESAFE_SLOTS && (value < 1 || value > TYPESAFE_MAX_SLOTS)) {
		pr_err_ratelimited("refused: slots %llu: must be 1 to %u\n", value,
				   TYPESAFE_MAX_SLOTS);
		return -ERANGE;
	}
	typesafe_set(what, value);
	return 0;
}

enum { ALLOCATED, FREED, REPLACES, SEEN_DEAD, TORN, WRONG_SLOT, OF_READS };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct typesafe_counts counts;

	typesafe_count(&counts);
	*value = what == ALLOCATED ? counts.allocated :
		 what == FREED ? counts.freed :
		 what == REPLACES ? counts.replaces :
		 what == SEEN_DEAD ? counts.seen_dead :
		 what == TORN ? counts.torn :
		 what == WRONG_SLOT ? counts.wrong_slot : one_of(&counts.reads, what - OF_READS);
	return 0;
}

static struct demo_value values[] = {
	DEMO_VALUE_RW(way, TYPESAFE_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(slots, TYPESAFE_SLOTS, setting_get, setting_set),
	DEMO_VALUE_RO(allocated, ALLOCATED, count_get),
	DEMO_VALUE_RO(freed, FREED, count_get),
	DEMO_VALUE_RO(reads, OF_READS + READS, count_get),
	DEMO_VALUE_RO(retries, OF_READS + RETRIES, count_get),
	DEMO_VALUE_RO(reused, OF_READS + REUSED, count_get),
	DEMO_VALUE_RO(replaces, REPLACES, count_get),
	DEMO_VALUE_RO(seen_dead, SEEN_DEAD, count_get),
	DEMO_VALUE_RO(torn, TORN, count_get),
	DEMO_VALUE_RO(wrong_slot, WRONG_SLOT, count_get),
	{ }
};

static void objects(u64 *allocated, u64 *freed)
{
	struct typesafe_counts counts;

	typesafe_count(&counts);
	*allocated = counts.allocated;
	*freed = counts.freed;
}

struct demo_experiment demo_typesafe = {
	.name = "typesafe",
	.roles = { &reader, &writer },
	.values = values,
	.init = typesafe_init,
	.prepare = typesafe_fill,
	.dismantle = typesafe_clear,
	.objects = objects,
};
