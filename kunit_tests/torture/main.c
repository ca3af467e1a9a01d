// SPDX-License-Identifier: GPL-2.0-only
/* Parameters as rcutorture's users know them, statistics, and the verdict. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timex.h>

#include "torture.h"

uint torture_nreaders = 4;
module_param_named(nreaders, torture_nreaders, uint, 0444);
MODULE_PARM_DESC(nreaders, "Threads that read the rcu_ptr (default 4)");

uint torture_nwriters = 2;
module_param_named(nwriters, torture_nwriters, uint, 0444);
MODULE_PARM_DESC(nwriters, "Threads that register, replace and unregister (default 2)");

uint torture_nfakewriters = 2;
module_param_named(nfakewriters, torture_nfakewriters, uint, 0444);
MODULE_PARM_DESC(nfakewriters, "Threads that only register and unregister (default 2)");

bool torture_irqreader = true;
module_param_named(irqreader, torture_irqreader, bool, 0444);
MODULE_PARM_DESC(irqreader, "Read from interrupts, too (default Y)");

bool torture_gp_normal = true;
module_param_named(gp_normal, torture_gp_normal, bool, 0444);
MODULE_PARM_DESC(gp_normal, "Age by normal grace periods (default Y)");

bool torture_gp_exp = true;
module_param_named(gp_exp, torture_gp_exp, bool, 0444);
MODULE_PARM_DESC(gp_exp, "Age by expedited ones, and expedite nmiprof's own at times (default Y)");

bool torture_gp_poll = true;
module_param_named(gp_poll, torture_gp_poll, bool, 0444);
MODULE_PARM_DESC(gp_poll, "Age by polled ones (default Y)");

uint torture_delay_us = 20;
module_param_named(delay_us, torture_delay_us, uint, 0444);
MODULE_PARM_DESC(delay_us, "Readers' forced delay, one time in 64 (default 20)");

uint torture_slow_us = 200;
module_param_named(slow_us, torture_slow_us, uint, 0444);
MODULE_PARM_DESC(slow_us, "Slow handler: so long, microseconds (default 200)");

uint torture_slow_every = 1024;
module_param_named(slow_every, torture_slow_every, uint, 0444);
MODULE_PARM_DESC(slow_every, "... at one NMI in so many (default 1024)");

bool torture_greedy;
module_param_named(greedy, torture_greedy, bool, 0644);
MODULE_PARM_DESC(greedy, "The handlers claim what is nmiprof's, too (default N)");

static uint stutter = 2;
module_param(stutter, uint, 0444);
MODULE_PARM_DESC(stutter, "Run so long, then rest for a quarter of it, s (default 2; 0: no rest)");
static uint stat_interval = 30;
module_param(stat_interval, uint, 0444);
MODULE_PARM_DESC(stat_interval, "Statistics so often, s (default 30; 0: at the end)");

static bool stuttering;

static const char *const count_names[TORTURE_COUNTS] = {
	"registers", "replaces", "unregisters", "swaps", "gp_normal", "gp_exp",
	"gp_poll", "no_object", "no_memory", "sent", "offlines", "onlines", "stalls",
};

static const char *const reader_names[TORTURE_READERS] = { "nmi", "irq", "thread" };

static DEFINE_PER_CPU(unsigned long [TORTURE_COUNTS], counts);
static atomic_long_t failures;

void torture_did(enum torture_count what)
{
	this_cpu_inc(counts[what]);
}

unsigned long torture_done(enum torture_count what)
{
	unsigned long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(counts, cpu)[what];
	return sum;
}

/* From NMIs, too: printk() only queues there. The first few say it all. */
void torture_fail(const char *what)
{
	if (atomic_long_inc_return(&failures) <= 5)
		pr_alert("!!! %s\n", what);
}

bool torture_one_in(unsigned int n)
{
	/* Far from random, but lock-free in every context. */
	return n && (unsigned int)((get_cycles() * 0x9e3779b97f4a7c15UL) >> 40) % n == 0;
}

bool torture_go_on(void)
{
	while (READ_ONCE(stuttering) && !kthread_should_stop())
		schedule_timeout_interruptible(HZ / 20);
	cond_resched();
	return !kthread_should_stop();
}

struct task_struct *torture_thread(int (*fn)(void *), void *data, int cpu, const char *name)
{
	struct task_struct *t = kthread_create(fn, data, "%s", name);

	if (IS_ERR(t))
		return NULL;
	if (cpu >= 0)
		kthread_bind(t, cpu);
	get_task_struct(t);
	wake_up_process(t);
	return t;
}

void torture_thread_stop(struct task_struct **thread)
{
	if (!*thread)
		return;
	kthread_stop(*thread);
	put_task_struct(*thread);
	*thread = NULL;
}

/* Looks at objects that should have been out of sight: older than one grace period. */
static unsigned long too_old(void)
{
	unsigned long n = 0;
	int who, age;

	for (who = 0; who < TORTURE_READERS; who++)
		for (age = 2; age <= TORTURE_AGES; age++)
			n += torture_looks(who, age);
	return n;
}

static void print_statistics(void)
{
	char text[256];
	int who, age, n = 0;
	unsigned int i;

	for (who = 0; who < TORTURE_READERS; who++) {
		n = 0;
		for (age = 0; age <= TORTURE_AGES; age++)
			n += scnprintf(text + n, sizeof(text) - n, " %lu", torture_looks(who, age));
		pr_info("looks by age, %s:%s\n", reader_names[who], text);
	}
	n = 0;
	for (i = 0; i < TORTURE_COUNTS; i++)
		n += scnprintf(text + n, sizeof(text) - n, " %s %lu", count_names[i],
			       torture_done(i));
	pr_info("counts:%s\n", text);
	if (too_old())
		pr_alert("!!! %lu looks at objects that a grace period was over for\n", too_old());
}

static struct task_struct *stutter_thread, *statistics_thread;

static int stutters(void *unused)
{
	while (!kthread_should_stop()) {
		schedule_timeout_interruptible(stutter * HZ);
		WRITE_ONCE(stuttering, true);
		schedule_timeout_interruptible(stutter * HZ / 4);
		WRITE_ONCE(stuttering, false);
	}
	return 0;
}

static int statistics(void *unused)
{
	while (!kthread_should_stop()) {
		schedule_timeout_interruptible(stat_interval * HZ);
		if (!kthread_should_stop())
			print_statistics();
	}
	return 0;
}

/* For scripts, while it runs. */
static int get_failures(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&failures) + too_old());
}

static int get_updates(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lu\n", torture_done(TORTURE_REGISTERS) +
			  torture_done(TORTURE_REPLACES) + torture_done(TORTURE_UNREGISTERS));
}

static int get_no_memory(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lu\n", torture_done(TORTURE_NO_MEMORY));
}

static int get_looks(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%lu\n",
			  torture_looks(TORTURE_NMI, 0) + torture_looks(TORTURE_NMI, 1));
}

static const struct kernel_param_ops failures_ops = { .get = get_failures };
module_param_cb(failures, &failures_ops, NULL, 0444);
MODULE_PARM_DESC(failures, "Failures so far");
static const struct kernel_param_ops updates_ops = { .get = get_updates };
module_param_cb(updates, &updates_ops, NULL, 0444);
MODULE_PARM_DESC(updates, "Handlers registered, replaced and unregistered so far");
static const struct kernel_param_ops no_memory_ops = { .get = get_no_memory };
module_param_cb(no_memory, &no_memory_ops, NULL, 0444);
MODULE_PARM_DESC(no_memory, "Updates that nmiprof refused for want of memory");
static const struct kernel_param_ops looks_ops = { .get = get_looks };
module_param_cb(looks, &looks_ops, NULL, 0444);
MODULE_PARM_DESC(looks, "Looks from NMIs so far");

static void stop_all(void)
{
	torture_thread_stop(&stutter_thread);
	torture_thread_stop(&statistics_thread);
	torture_disturb_stop();
	torture_pointer_stop();
	torture_handlers_stop();
}

static int __init nmiprof_torture_init(void)
{
	int err;

	if (!torture_gp_normal && !torture_gp_exp && !torture_gp_poll) {
		pr_err("one of gp_normal, gp_exp and gp_poll must be on\n");
		return -EINVAL;
	}
	err = torture_objects_init();
	if (err)
		return err;
	err = torture_handlers_start() ?: torture_pointer_start() ?: torture_disturb_start();
	if (!err && stutter) {
		stutter_thread = torture_thread(stutters, NULL, -1, "torture_stutter");
		err = stutter_thread ? 0 : -ENOMEM;
	}
	if (!err && stat_interval) {
		statistics_thread = torture_thread(statistics, NULL, -1, "torture_stats");
		err = statistics_thread ? 0 : -ENOMEM;
	}
	if (err) {
		stop_all();
		torture_objects_exit();
	}
	return err;
}

static void __exit nmiprof_torture_exit(void)
{
	const char *verdict;

	stop_all();
	print_statistics();
	verdict = atomic_long_read(&failures) || too_old() ? "FAILURE" : "SUCCESS";
	pr_alert("End of test: %s: failures %ld, too old %lu, nmi looks %lu\n", verdict,
		 atomic_long_read(&failures), too_old(), torture_looks(TORTURE_NMI, 0));
	torture_objects_exit();
}

module_init(nmiprof_torture_init);
module_exit(nmiprof_torture_exit);

MODULE_DESCRIPTION("nmiprof: torture test of its handlers and of its rcu_ptr");
MODULE_LICENSE("GPL");
