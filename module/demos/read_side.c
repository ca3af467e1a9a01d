// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the beginning and the end of a read section cost (spec D9): for each op, length of
 * section and number of readers, without and with a writer, several runs each. A turn of
 * the one thread is one run. Method as in kernel/rcu/refscale.c: readers pinned one to a
 * CPU begin together, warm up, are timed, and go on until the last has been timed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include "experiment.h"
#include "read_side_ops.h"

static const unsigned int sections_ns[] = { 0, 100, 1000 };

#define MOST_COUNTS 8 /* of readers: 1, 2, 4, ... and all CPUs */

/* Settings, which count from the next start on. Experiment's mutex. */
static unsigned int loops = 10000, runs = 5, writer_us = 100;

/* What one run measures, and what was found. */
struct run {
	unsigned int op, section_ns, readers, number;
	bool writer;
	u64 ps, cycles; /* of one section, mean of all readers */
};

/* Made when it starts, replaced when it starts again, kept when it stops. */
static DEFINE_MUTEX(results_mutex);
static struct run *results;
static unsigned int nr_results, nr_measured;

/* One run under way */

struct gathering {
	const struct read_side_op *op;
	unsigned int loops, section_ns;
	atomic_t not_there, not_warm, not_done;
};

struct reader {
	struct gathering *all;
	struct task_struct *task;
	u64 ns, cycles;
};

/* Each goes on until all have come so far. */
static void meet(atomic_t *missing, const struct gathering *all, bool reading)
{
	atomic_dec(missing);
	while (atomic_read(missing) > 0 && !kthread_should_stop()) {
		if (reading)
			all->op->read(16, all->section_ns);
		cond_resched();
	}
}

static int read(void *data)
{
	struct reader *me = data;
	struct gathering *all = me->all;
	u64 ns, cycles;

	meet(&all->not_there, all, false);
	all->op->read(all->loops / 8 + 1, all->section_ns);
	meet(&all->not_warm, all, true);
	ns = ktime_get_mono_fast_ns();
	cycles = get_cycles();
	all->op->read(all->loops, all->section_ns);
	me->cycles = get_cycles() - cycles;
	me->ns = ktime_get_mono_fast_ns() - ns;
	meet(&all->not_done, all, true);
	return 0;
}

static int write(void *data)
{
	const struct gathering *all = data;

	while (!kthread_should_stop()) {
		all->op->write();
		usleep_range(writer_us, writer_us + writer_us / 8 + 1);
	}
	return 0;
}

static struct task_struct *start(int (*fn)(void *), void *data, unsigned int nth_cpu)
{
	struct task_struct *task = kthread_create(fn, data, "rcu_demo_read_side");

	if (IS_ERR(task))
		return NULL;
	/* So that no CPU goes between being chosen and being bound to. */
	cpus_read_lock();
	set_cpus_allowed_ptr(task, cpumask_of(demo_nth_online_cpu(nth_cpu)));
	cpus_read_unlock();
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static void stop(struct task_struct *task)
{
	if (!task)
		return;
	kthread_stop(task);
	put_task_struct(task);
}

/* 0, or -ENOMEM: nothing was measured. */
static int measure(struct demo_thread *thread, struct run *run)
{
	struct gathering all = {
		.op = &read_side_ops[run->op],
		.loops = loops,
		.section_ns = run->section_ns,
		.not_there = ATOMIC_INIT(run->readers),
		.not_warm = ATOMIC_INIT(run->readers),
		.not_done = ATOMIC_INIT(run->readers),
	};
	struct reader *readers = kcalloc(run->readers, sizeof(*readers), GFP_KERNEL);
	struct task_struct *writer = NULL;
	unsigned int i;
	u64 ns = 0, cycles = 0;
	int err = -ENOMEM;

	if (!readers)
		return -ENOMEM;
	if (run->writer) {
		/* Behind the readers: on a CPU of its own where there is one. */
		writer = start(write, &all, run->readers);
		if (!writer)
			goto end;
	}
	for (i = 0; i < run->readers; i++) {
		readers[i].all = &all;
		readers[i].task = start(read, &readers[i], i);
		if (!readers[i].task)
			goto end;
	}
	while (atomic_read(&all.not_done) && !READ_ONCE(thread->stopping))
		usleep_range(200, 400);
	err = 0;
end:
	for (i = 0; i < run->readers; i++)
		stop(readers[i].task);
	stop(writer);
	for (i = 0; i < run->readers; i++) {
		ns += readers[i].ns;
		cycles += readers[i].cycles;
	}
	run->ps = div64_u64(ns * 1000, (u64)run->readers * loops);
	run->cycles = div64_u64(cycles, (u64)run->readers * loops);
	kfree(readers);
	return READ_ONCE(thread->stopping) ? -EINTR : err;
}

/* The list of runs */

/* 1, 2, 4, ... and the number of CPUs itself. */
static unsigned int counts_of_readers(unsigned int *counts)
{
	unsigned int cpus = num_online_cpus(), n = 0, readers;

	for (readers = 1; readers < cpus && n < MOST_COUNTS - 1; readers *= 2)
		counts[n++] = readers;
	counts[n++] = cpus;
	return n;
}

/* A run of everything, then the next run of everything: what drifts is in all of them. */
static struct run nth_run(unsigned int n, const unsigned int *counts, unsigned int nr_counts)
{
	struct run run = { };

	run.writer = n % 2;
	n /= 2;
	run.readers = counts[n % nr_counts];
	n /= nr_counts;
	run.section_ns = sections_ns[n % ARRAY_SIZE(sections_ns)];
	n /= ARRAY_SIZE(sections_ns);
	run.op = n % read_side_nr_ops;
	run.number = n / read_side_nr_ops;
	return run;
}

/* The results to fill; NULL: no memory. */
static struct run *make_list(unsigned int *length)
{
	unsigned int counts[MOST_COUNTS], nr_counts = counts_of_readers(counts), i;
	unsigned int most = runs * read_side_nr_ops * ARRAY_SIZE(sections_ns) * nr_counts * 2;
	struct run *list = vzalloc(array_size(most, sizeof(*list)));

	*length = 0;
	for (i = 0; list && i < most; i++) {
		struct run run = nth_run(i, counts, nr_counts);

		if (!run.writer || read_side_ops[run.op].write)
			list[(*length)++] = run;
	}
	return list;
}

static int prepare(void)
{
	unsigned int op, n;
	struct run *list = make_list(&n);
	int err;

	if (!list)
		return -ENOMEM;
	for (op = 0; op < read_side_nr_ops; op++) {
		err = read_side_ops[op].init ? read_side_ops[op].init() : 0;
		if (err)
			goto undo;
	}
	mutex_lock(&results_mutex);
	swap(results, list);
	nr_results = n;
	nr_measured = 0;
	mutex_unlock(&results_mutex);
	vfree(list);
	return 0;

undo:
	while (op--)
		if (read_side_ops[op].exit)
			read_side_ops[op].exit();
	vfree(list);
	return err;
}

static void dismantle(void)
{
	unsigned int op;

	for (op = 0; op < read_side_nr_ops; op++)
		if (read_side_ops[op].exit)
			read_side_ops[op].exit();
}

static unsigned int turn(struct demo_thread *thread)
{
	struct run *run;

	if (nr_measured == nr_results) {
		/* All is done: until somebody stops it. */
		schedule_timeout_interruptible(HZ / 10);
		return 0;
	}
	run = &results[nr_measured];
	switch (measure(thread, run)) {
	case 0:
		mutex_lock(&results_mutex);
		nr_measured++;
		mutex_unlock(&results_mutex);
		return 0;
	case -ENOMEM:
		schedule_timeout_interruptible(HZ / 10);
		return 1;
	default:
		return 0;
	}
}

static int results_show(struct seq_file *file, void *unused)
{
	const struct run *run;

	seq_puts(file, "# op section_ns readers writer run ns cycles\n");
	mutex_lock(&results_mutex);
	for (run = results; run < results + nr_measured; run++)
		seq_printf(file, "%s %u %u %u %u %llu.%03llu %llu\n", read_side_ops[run->op].name,
			   run->section_ns, run->readers, run->writer, run->number,
			   run->ps / 1000, run->ps % 1000, run->cycles);
	mutex_unlock(&results_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(results);

static void dump(struct dentry *folder)
{
	debugfs_create_file("results", 0400, folder, NULL, &results_fops);
}

/* Values */

enum { LOOPS, RUNS, WRITER_US, MEASURED, TO_MEASURE };

static unsigned int *const settings[] = { &loops, &runs, &writer_us };

static int get(struct kobject *owner, unsigned int what, u64 *value)
{
	mutex_lock(&results_mutex);
	*value = what == MEASURED ? nr_measured :
		 what == TO_MEASURE ? nr_results - nr_measured : *settings[what];
	mutex_unlock(&results_mutex);
	return 0;
}

static int set(struct kobject *owner, unsigned int what, u64 value)
{
	static const char *const names[] = { "loops", "runs", "writer_us" };
	int err = 0;

	mutex_lock(&demo_read_side.mutex);
	if (demo_read_side.running) {
		pr_err_ratelimited("refused: %s: stop the experiment first\n", names[what]);
		err = -EBUSY;
	} else {
		*settings[what] = value;
	}
	mutex_unlock(&demo_read_side.mutex);
	return err;
}

static struct demo_value values[] = {
	DEMO_VALUE_RW(loops, LOOPS, get, set, .least = 1, .most = 1000000),
	DEMO_VALUE_RW(runs, RUNS, get, set, .least = 1, .most = 100),
	DEMO_VALUE_RW(writer_us, WRITER_US, get, set, .least = 1, .most = 1000000),
	DEMO_VALUE_RO(measured, MEASURED, get),
	DEMO_VALUE_RO(to_measure, TO_MEASURE, get),
	{ }
};

static void conductor_init(struct demo_thread *thread)
{
	thread->interval_us = 0;
}

static const struct demo_role conductor = {
	.name = "conductor",
	.plural = "conductors",
	.count = 1,
	.most = 1,
	.init = conductor_init,
	.turn = turn,
};

static void forget(void)
{
	vfree(results);
}

struct demo_experiment demo_read_side = {
	.name = "read_side",
	.roles = { &conductor },
	.values = values,
	.exit = forget,
	.prepare = prepare,
	.dismantle = dismantle,
	.dump = dump,
};
