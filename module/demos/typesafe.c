// SPDX-License-Identifier: GPL-2.0-only
/* Objects in type-safe memory: readers look into slots, writers replace (spec D6). */
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

static unsigned int reader_turn(struct demo_thread *thread)
{
	struct typesafe_reads done;

	typesafe_read(READS_EACH, &done);
	spin_lock(&thread->lock);
	of_reader(thread)->done += done.done;
	of_reader(thread)->retries += done.retries;
	of_reader(thread)->reused += done.reused;
	spin_unlock(&thread->lock);
	return 0;
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

static unsigned int writer_turn(struct demo_thread *thread)
{
	shim_u64 done = typesafe_replace(REPLACES_EACH);

	spin_lock(&thread->lock);
	of_writer(thread)->replaces += done;
	spin_unlock(&thread->lock);
	return done < REPLACES_EACH;
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
	typesafe_set(what, value);
	return 0;
}

enum { WAITING, THROTTLED, REPLACES, SEEN_DEAD, TORN, WRONG_SLOT, OF_READS };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct typesafe_counts counts;

	typesafe_count(&counts);
	*value = what == WAITING ? counts.waiting :
		 what == THROTTLED ? counts.throttled :
		 what == REPLACES ? counts.replaces :
		 what == SEEN_DEAD ? counts.seen_dead :
		 what == TORN ? counts.torn :
		 what == WRONG_SLOT ? counts.wrong_slot : one_of(&counts.reads, what - OF_READS);
	return 0;
}

static struct demo_value values[] = {
	DEMO_VALUE_RW(way, TYPESAFE_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(slots, TYPESAFE_SLOTS, setting_get, setting_set,
		      .least = 1, .most = TYPESAFE_MAX_SLOTS),
	DEMO_VALUE_RW(backlog_max, TYPESAFE_BACKLOG_MAX, setting_get, setting_set),
	DEMO_VALUE_RO(waiting, WAITING, count_get),
	DEMO_VALUE_RO(throttled, THROTTLED, count_get),
	DEMO_VALUE_RO(reads, OF_READS + READS, count_get),
	DEMO_VALUE_RO(retries, OF_READS + RETRIES, count_get),
	DEMO_VALUE_RO(reused, OF_READS + REUSED, count_get),
	DEMO_VALUE_RO(replaces, REPLACES, count_get),
	DEMO_VALUE_RO(seen_dead, SEEN_DEAD, count_get),
	DEMO_VALUE_RO(torn, TORN, count_get),
	DEMO_VALUE_RO(wrong_slot, WRONG_SLOT, count_get),
	{ }
};

struct demo_experiment demo_typesafe = {
	.name = "typesafe",
	.roles = { &reader, &writer },
	.values = values,
	.init = typesafe_init,
	.prepare = typesafe_fill,
	.dismantle = typesafe_clear,
	.objects = typesafe_objects,
};
