/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An experiment is an entry in a table: what it sets up, what one turn of each kind of its
 * threads does, and its values in sysfs. Threads, directories and their lifetime are the
 * same for all (threads.c, values.c).
 *
 *	/sys/kernel/rcu_demo/EXPERIMENT/		run, threads of each role, its values
 *	/sys/kernel/rcu_demo/EXPERIMENT/ROLEn/		cpu, interval_us, turns, its values
 */
#ifndef RCU_DEMO_EXPERIMENT_H
#define RCU_DEMO_EXPERIMENT_H

#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "shim/types.h"

struct demo_durations;
struct demo_experiment;
struct demo_role;
struct dentry;
struct seq_file;
struct task_struct;

/*
 * A file with one value. @get returns 0, or -ENODATA when there is none yet; @set is NULL
 * for what cannot be set. With @names the file has a name instead of a number.
 */
struct demo_value {
	struct attribute attr;
	unsigned int what; /* for @get and @set, which serve several values */
	int (*get)(struct kobject *owner, unsigned int what, u64 *value);
	int (*set)(struct kobject *owner, unsigned int what, u64 value);
	const char *const *names; /* ends in NULL */
	bool milli; /* the value is in thousandths of what the file shows */
	u64 least, most; /* @set gets such values only; @most 0: any */
};

#define DEMO_VALUE_RO(_name, _what, _get, ...) \
	{ .attr = { .name = #_name, .mode = 0444 }, .what = (_what), .get = (_get), __VA_ARGS__ }
#define DEMO_VALUE_RW(_name, _what, _get, _set, ...) \
	{ .attr = { .name = #_name, .mode = 0644 }, .what = (_what), .get = (_get), \
	  .set = (_set), __VA_ARGS__ }

struct demo_thread {
	struct kobject kobj;
	struct list_head list;
	struct demo_experiment *experiment;
	const struct demo_role *role;
	unsigned int nr; /* among those of its role */
	struct task_struct *task; /* while it runs. Experiment's mutex. */

	/* Set in sysfs, read by the thread at any time. */
	unsigned int cpu; /* where it runs while that is online */
	u64 interval_us; /* from the beginning of a turn to that of the next; 0: flat out */

	/* 1: a turn that takes long gives up. */
	u32 stopping;

	/* Written by the thread, under @lock. */
	spinlock_t lock;
	u64 turns, failed; /* since it was started */
	u64 window_ns, window_turns; /* when the latest second began, turns by then */
	u64 turns_per_ks; /* in the second before */

	void *of_role; /* role->data_bytes of the role's own, zero at first */
};

/* A kind of thread. */
struct demo_role {
	const char *name, *plural;
	unsigned int count; /* so many at first */
	unsigned int most; /* 0: DEMO_MAX_THREADS */
	void (*init)(struct demo_thread *thread); /* its CPU and interval */
	unsigned int (*turn)(struct demo_thread *thread); /* how much of it failed */
	struct demo_value *values; /* the last has no name */
	size_t data_bytes; /* of demo_thread.of_role */
};

#define DEMO_MAX_ROLES 2
#define DEMO_MAX_THREADS 64 /* of a role */

struct demo_experiment {
	const char *name;
	const struct demo_role *roles[DEMO_MAX_ROLES + 1];
	struct demo_value *values; /* the last has no name */
	void (*init)(void); /* once, when the module is loaded; NULL: nothing */
	void (*exit)(void); /* once, when it is unloaded and nobody is left; NULL: nothing */
	/* Before its first thread begins; 0 or -errno. All but -ENOMEM with a line in the log. */
	int (*prepare)(void);
	void (*dismantle)(void); /* after its last one has ended; what it made is freed */
	void (*dump)(struct dentry *folder); /* its files in debugfs; NULL: none */
	/* Since the module was loaded; NULL: none that a grace period is waited for. */
	void (*objects)(shim_u64 *allocated, shim_u64 *freed);

	/* The framework's. */
	struct kobject kobj;
	struct demo_value files[1 + DEMO_MAX_ROLES]; /* run, and how many threads */
	struct mutex mutex; /* starting, stopping, threads */
	bool running;
	struct list_head threads;
};

/* The table (main.c). */
extern struct demo_experiment demo_persons;
extern struct demo_experiment demo_pid_table;
extern struct demo_experiment demo_ip_options;
extern struct demo_experiment demo_typesafe;
extern struct demo_experiment demo_buffer_ways;
extern struct demo_experiment demo_toy_rcu;
extern struct demo_experiment demo_read_side;
extern struct demo_experiment demo_grace_periods;

/* threads.c. The experiment's mutex is held. */
int demo_start(struct demo_experiment *experiment);
void demo_stop(struct demo_experiment *experiment);
unsigned int demo_threads(struct demo_experiment *experiment, const struct demo_role *role);
int demo_set_threads(struct demo_experiment *experiment, const struct demo_role *role,
		     unsigned int count);
void demo_thread_wake(struct demo_thread *thread);
/* threads.c. Any that is online, the n-th of them, counted around. Under cpus_read_lock(). */
unsigned int demo_nth_online_cpu(unsigned int n);

/* values.c */
int demo_add(struct demo_experiment *experiment, struct kobject *root);
void demo_remove(struct demo_experiment *experiment);
int demo_thread_add(struct demo_thread *thread);
/* 0; -ERANGE: with a line in the log. */
int demo_check_range(const struct demo_value *file, u64 value);

/* durations.c: a value in sysfs, -ENODATA when there is none yet; the lines of a dump. */
enum demo_measure { DEMO_COUNT, DEMO_MEAN_NS, DEMO_LONGEST_NS, DEMO_MEASURES };

int demo_durations_get(const struct demo_durations *seen, enum demo_measure what, u64 *value);
void demo_durations_head(struct seq_file *file);
void demo_durations_dump(struct seq_file *file, const char *way, const struct demo_durations *seen);

/* persons_dump.c */
void persons_dump(struct dentry *folder);

static inline struct demo_thread *demo_thread_of(struct kobject *kobj)
{
	return container_of(kobj, struct demo_thread, kobj);
}

#endif /* RCU_DEMO_EXPERIMENT_H */
