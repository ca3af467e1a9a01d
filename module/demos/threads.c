// SPDX-License-Identifier: GPL-2.0-only
/* Threads of an experiment: made, pinned, paced, stopped. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "experiment.h"

/*
 * It may have been moved when its CPU went offline, and that may be back. While a CPU is on
 * its way offline a thread cannot be bound to it and stays where it is, which PREEMPT_RT's
 * migrate_enable() warns of: so no CPU goes meanwhile.
 */
static void stay_on_cpu(struct demo_thread *thread)
{
	unsigned int cpu = READ_ONCE(thread->cpu);

	if (raw_smp_processor_id() == cpu || !cpu_online(cpu))
		return;
	cpus_read_lock();
	if (cpu_online(cpu))
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
	cpus_read_unlock();
}

/*
 * Until the interval, whatever that is by then, after @began is over; when the next turn
 * began. Late by less than an interval it keeps the pace, by more it starts anew.
 */
static ktime_t wait_for_turn(struct demo_thread *thread, ktime_t began)
{
	u64 interval_us;
	ktime_t due, now;

	for (;;) {
		/* Before the interval is looked at: who changes it wakes us. */
		set_current_state(TASK_INTERRUPTIBLE);
		interval_us = READ_ONCE(thread->interval_us);
		due = ktime_add_us(began, interval_us);
		now = ktime_get();
		if (kthread_should_stop() || !ktime_before(now, due))
			break;
		schedule_hrtimeout(&due, HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
	return ktime_before(now, ktime_add_us(due, interval_us)) ? due : now;
}

static void count_turn(struct demo_thread *thread, unsigned int failed, u64 now_ns)
{
	u64 ns;

	spin_lock(&thread->lock);
	thread->turns++;
	thread->failed += failed;
	ns = now_ns - thread->window_ns;
	if (ns >= NSEC_PER_SEC) {
		thread->turns_per_ks = div64_u64((thread->turns - thread->window_turns) *
						 1000 * NSEC_PER_MSEC, div_u64(ns, 1000));
		thread->window_ns = now_ns;
		thread->window_turns = thread->turns;
	}
	spin_unlock(&thread->lock);
}

static int run(void *data)
{
	struct demo_thread *thread = data;
	ktime_t began = ktime_get();
	unsigned int failed;

	/*
	 * Told to stop before it is waited for: of many that run flat out none keeps the others
	 * from ending.
	 */
	while (!kthread_should_stop() && !READ_ONCE(thread->stopping)) {
		stay_on_cpu(thread);
		failed = thread->role->turn(thread);
		count_turn(thread, failed, ktime_get_ns());
		began = wait_for_turn(thread, began);
		cond_resched();
	}
	return 0;
}

static int thread_start(struct demo_thread *thread)
{
	struct task_struct *task = kthread_create(run, thread, "%s_%s%u", thread->experiment->name,
						  thread->role->name, thread->nr);

	if (IS_ERR(task))
		return PTR_ERR(task);
	WRITE_ONCE(thread->stopping, 0);
	spin_lock(&thread->lock);
	thread->turns = 0;
	thread->failed = 0;
	thread->window_ns = ktime_get_ns();
	thread->window_turns = 0;
	thread->turns_per_ks = 0;
	spin_unlock(&thread->lock);
	get_task_struct(task);
	thread->task = task;
	wake_up_process(task);
	return 0;
}

static void thread_stop(struct demo_thread *thread)
{
	if (!thread->task)
		return;
	WRITE_ONCE(thread->stopping, 1);
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	thread->task = NULL;
}

void demo_thread_wake(struct demo_thread *thread)
{
	if (thread->task)
		wake_up_process(thread->task);
}

unsigned int demo_threads(struct demo_experiment *experiment, const struct demo_role *role)
{
	struct demo_thread *thread;
	unsigned int n = 0;

	list_for_each_entry(thread, &experiment->threads, list)
		n += thread->role == role;
	return n;
}

unsigned int demo_nth_online_cpu(unsigned int n)
{
	unsigned int cpu;

	n %= num_online_cpus();
	for_each_online_cpu(cpu)
		if (!n--)
			break;
	return cpu;
}

/* @cpu, or when there is none of that number, another one: the threads share those online. */
static unsigned int place(const struct demo_thread *thread, unsigned int cpu)
{
	unsigned int other;

	if (cpu < nr_cpu_ids && cpu_online(cpu))
		return cpu;
	cpus_read_lock();
	other = demo_nth_online_cpu(cpu);
	cpus_read_unlock();
	pr_notice("%s: %s %u should run on CPU %u, which is not online: it shares CPU %u\n",
		  thread->experiment->name, thread->role->name, thread->nr, cpu, other);
	return other;
}

static void remove_thread(struct demo_thread *thread)
{
	thread_stop(thread);
	list_del(&thread->list);
	kobject_put(&thread->kobj);
}

static int add_thread(struct demo_experiment *experiment, const struct demo_role *role)
{
	struct demo_thread *thread = kzalloc(sizeof(*thread) + role->data_bytes, GFP_KERNEL);
	int err;

	if (!thread)
		return -ENOMEM;
	thread->experiment = experiment;
	thread->role = role;
	thread->of_role = thread + 1;
	thread->nr = demo_threads(experiment, role);
	spin_lock_init(&thread->lock);
	role->init(thread);
	thread->cpu = place(thread, thread->cpu);
	err = demo_thread_add(thread); /* from here on kobject_put() frees it */
	if (err) {
		kobject_put(&thread->kobj);
		return err;
	}
	list_add_tail(&thread->list, &experiment->threads);
	if (experiment->running) {
		err = thread_start(thread);
		if (err)
			remove_thread(thread);
	}
	return err;
}

/* All or nothing when some are added. */
int demo_set_threads(struct demo_experiment *experiment, const struct demo_role *role,
		     unsigned int count)
{
	unsigned int had = demo_threads(experiment, role), n = had;
	struct demo_thread *thread, *next;
	int err = 0;

	while (n < count && !err) {
		err = add_thread(experiment, role);
		n += !err;
	}
	if (err)
		count = had;
	/* All are told before any is waited for: they may be waiting for each other. */
	list_for_each_entry(thread, &experiment->threads, list)
		if (thread->role == role && thread->nr >= count)
			WRITE_ONCE(thread->stopping, 1);
	/* From the last one on. */
	list_for_each_entry_safe_reverse(thread, next, &experiment->threads, list)
		if (thread->role == role && thread->nr >= count)
			remove_thread(thread);
	return err;
}

int demo_start(struct demo_experiment *experiment)
{
	struct demo_thread *thread;
	int err;

	if (experiment->running)
		return 0;
	err = experiment->prepare();
	if (err)
		goto say;
	experiment->running = true;
	list_for_each_entry(thread, &experiment->threads, list) {
		err = thread_start(thread);
		if (err) {
			demo_stop(experiment);
			goto say;
		}
	}
	return 0;

say:
	if (err == -ENOMEM)
		pr_err_ratelimited("refused: %s: run: not enough memory\n", experiment->name);
	return err;
}

void demo_stop(struct demo_experiment *experiment)
{
	struct demo_thread *thread;

	if (!experiment->running)
		return;
	/* All are told before any is waited for. */
	list_for_each_entry(thread, &experiment->threads, list)
		WRITE_ONCE(thread->stopping, 1);
	list_for_each_entry(thread, &experiment->threads, list)
		thread_stop(thread);
	experiment->running = false;
	experiment->dismantle();
}
