// SPDX-License-Identifier: GPL-2.0-only
/* The PID table: readers look up and use entries, writers insert and remove them (spec D4). */
#include "demos/pid_table.h"
#include "experiment.h"

#define MAX_USE_US 1000000

static const char *const ways[] = { "rcu", "rwlock", "spinlock", NULL };
static const char *const puts[] = { "after_grace_period", "at_once", NULL };

/* Readers, and what is counted of a reader and of all */

enum { LOOKUPS, HITS, MISSES, LOST_RACES, SEEN_FREED, WRONG_PID, LOOKUPS_END };

static u64 of_lookups(const struct pid_table_lookups *seen, unsigned int what)
{
	switch (what) {
	case LOOKUPS:
		return seen->hits + seen->misses + seen->lost_races;
	case HITS:
		return seen->hits;
	case MISSES:
		return seen->misses;
	case LOST_RACES:
		return seen->lost_races;
	case SEEN_FREED:
		return seen->seen_freed;
	default:
		return seen->wrong_pid;
	}
}

/* lint: COMPLEX_MACRO, MACRO_ARG_REUSE: makes items of a list */
#define LOOKUPS_VALUES(_get) \
	DEMO_VALUE_RO(lookups, LOOKUPS, _get), \
	DEMO_VALUE_RO(hits, HITS, _get), \
	DEMO_VALUE_RO(misses, MISSES, _get), \
	DEMO_VALUE_RO(lost_races, LOST_RACES, _get), \
	DEMO_VALUE_RO(seen_freed, SEEN_FREED, _get), \
	DEMO_VALUE_RO(wrong_pid, WRONG_PID, _get)

static void reader_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 1000;
}

static unsigned int reader_turn(struct demo_thread *thread)
{
	struct pid_table_lookups *all = thread->of_role, seen;

	pid_table_look_up(&thread->stopping, &seen);
	spin_lock(&thread->lock);
	all->hits += seen.hits;
	all->misses += seen.misses;
	all->lost_races += seen.lost_races;
	all->seen_freed += seen.seen_freed;
	all->wrong_pid += seen.wrong_pid;
	spin_unlock(&thread->lock);
	return 0;
}

static int reader_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);

	spin_lock(&thread->lock);
	*value = of_lookups(thread->of_role, what);
	spin_unlock(&thread->lock);
	return 0;
}

static struct demo_value reader_values[] = {
	LOOKUPS_VALUES(reader_get),
	{ }
};

static const struct demo_role reader = {
	.name = "reader",
	.plural = "readers",
	.count = 3,
	.init = reader_init,
	.turn = reader_turn,
	.values = reader_values,
	.data_bytes = sizeof(struct pid_table_lookups),
};

/* Writers */

struct writer_data {
	u64 inserts, removes; /* done; thread's lock */
	u64 already_there, not_there; /* nothing to insert, or to remove */
};

static void writer_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 100;
}

static unsigned int writer_turn(struct demo_thread *thread)
{
	struct writer_data *all = thread->of_role;
	u32 inserts;
	int err = pid_table_change(&inserts);

	spin_lock(&thread->lock);
	if (!err)
		++*(inserts ? &all->inserts : &all->removes);
	else if (err == -EEXIST)
		all->already_there++;
	else if (err == -ENOENT)
		all->not_there++;
	spin_unlock(&thread->lock);
	return err == -ENOMEM;
}

enum { WRITER_INSERTS, WRITER_REMOVES, ALREADY_THERE, NOT_THERE };

static int writer_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);
	const struct writer_data *all = thread->of_role;

	spin_lock(&thread->lock);
	*value = what == WRITER_INSERTS ? all->inserts :
		 what == WRITER_REMOVES ? all->removes :
		 what == ALREADY_THERE ? all->already_there : all->not_there;
	spin_unlock(&thread->lock);
	return 0;
}

static struct demo_value writer_values[] = {
	DEMO_VALUE_RO(inserts, WRITER_INSERTS, writer_get),
	DEMO_VALUE_RO(removes, WRITER_REMOVES, writer_get),
	DEMO_VALUE_RO(already_there, ALREADY_THERE, writer_get),
	DEMO_VALUE_RO(not_there, NOT_THERE, writer_get),
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
	*value = pid_table_get(what);
	return 0;
}

static int setting_set(struct kobject *owner, unsigned int what, u64 value)
{
	pid_table_set(what, value);
	return 0;
}

static int lookups_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct pid_table_counts counts;

	pid_table_count(&counts);
	*value = of_lookups(&counts.lookups, what);
	return 0;
}

enum {
	INSERTS, REMOVES, PUT_LAST_BY_READER, PUT_LAST_BY_CALLBACK, PUT_LAST_BY_WRITER,
	WAITING, THROTTLED,
};

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct pid_table_counts counts;

	pid_table_count(&counts);
	*value = what == INSERTS ? counts.inserts :
		 what == REMOVES ? counts.removes :
		 what == PUT_LAST_BY_READER ? counts.put_last_by_reader :
		 what == PUT_LAST_BY_CALLBACK ? counts.put_last_by_callback :
		 what == PUT_LAST_BY_WRITER ? counts.put_last_by_writer :
		 what == WAITING ? counts.waiting : counts.throttled;
	return 0;
}

static struct demo_value values[] = {
	DEMO_VALUE_RW(readers_use, PID_TABLE_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(writers_put, PID_TABLE_PUT, setting_get, setting_set, .names = puts),
	DEMO_VALUE_RW(pids, PID_TABLE_PIDS, setting_get, setting_set,
		      .least = 1, .most = PID_TABLE_MAX_PIDS),
	DEMO_VALUE_RW(batch, PID_TABLE_BATCH, setting_get, setting_set,
		      .least = 1, .most = U32_MAX),
	DEMO_VALUE_RW(use_us, PID_TABLE_USE_US, setting_get, setting_set, .most = MAX_USE_US),
	DEMO_VALUE_RW(backlog_max, PID_TABLE_BACKLOG_MAX, setting_get, setting_set),
	LOOKUPS_VALUES(lookups_get),
	DEMO_VALUE_RO(inserts, INSERTS, count_get),
	DEMO_VALUE_RO(removes, REMOVES, count_get),
	DEMO_VALUE_RO(put_last_by_reader, PUT_LAST_BY_READER, count_get),
	DEMO_VALUE_RO(put_last_by_callback, PUT_LAST_BY_CALLBACK, count_get),
	DEMO_VALUE_RO(put_last_by_writer, PUT_LAST_BY_WRITER, count_get),
	DEMO_VALUE_RO(waiting, WAITING, count_get),
	DEMO_VALUE_RO(throttled, THROTTLED, count_get),
	{ }
};

struct demo_experiment demo_pid_table = {
	.name = "pid_table",
	.roles = { &reader, &writer },
	.values = values,
	.init = pid_table_init,
	.prepare = pid_table_fill,
	.dismantle = pid_table_clear,
	.objects = pid_table_objects,
};
