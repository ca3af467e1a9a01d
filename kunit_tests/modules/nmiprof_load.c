// SPDX-License-Identifier: GPL-2.0-only
/*
 * A load with a known truth: a thread on each of some CPUs that does a given share of its work with
 * interrupts off, inside spin_lock_irqsave() as real code does, in sections of a
 * given length. The truth is counted in turns of one and the same loop, not by the
 * clock, as being sampled stretches a section.
 *
 *	insmod nmiprof_load.ko cpus=2 percent=50 section_us=50000
 *	cat /sys/module/nmiprof_load/parameters/turns_off
 */
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *cpus = "1";
module_param(cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "CPUs to load, one thread bound to each (a list; default 1)");

static unsigned int percent = 50;
module_param(percent, uint, 0444);
MODULE_PARM_DESC(percent, "Share of the work done with interrupts off, 0 to 99");

static unsigned int section_us = 1000;
module_param(section_us, uint, 0444);
MODULE_PARM_DESC(section_us, "Length of a section with interrupts off, microseconds");

static atomic_long_t turns_off, turns_on;

static int get_turns(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(kp->arg));
}

static const struct kernel_param_ops turns_ops = { .get = get_turns };
module_param_cb(turns_off, &turns_ops, &turns_off, 0444);
MODULE_PARM_DESC(turns_off, "Turns of the loop done so far with interrupts off, all threads");
module_param_cb(turns_on, &turns_ops, &turns_on, 0444);
MODULE_PARM_DESC(turns_on, "Turns of the loop done so far with interrupts on, all threads");

/*
 * On PREEMPT_RT spin_lock_irqsave() leaves interrupts on: there only a raw lock
 * shows what this is about.
 */
#ifdef CONFIG_PREEMPT_RT
#define load_lock_type raw_spinlock_t
#define load_lock_init raw_spin_lock_init
#define load_lock_irqsave raw_spin_lock_irqsave
#define load_unlock_irqrestore raw_spin_unlock_irqrestore
#else
#define load_lock_type spinlock_t
#define load_lock_init spin_lock_init
#define load_lock_irqsave spin_lock_irqsave
#define load_unlock_irqrestore spin_unlock_irqrestore
#endif

struct load {
	struct task_struct *thread;
	load_lock_type lock;
};

static struct load *loads; /* by CPU */
static ulong sink;

static __always_inline ulong loop(ulong turns, ulong seed)
{
	while (turns--) {
		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		barrier();
	}
	return seed;
}

/* Two functions of one loop; their seeds differ so that they are not merged into one. */
static noinline void nmiprof_load_irqs_off(ulong turns)
{
	sink += loop(turns, 1);
}

static noinline void nmiprof_load_irqs_on(ulong turns)
{
	sink ^= loop(turns, 2);
}

/* Turns that take about a millisecond: the best of a few tries. */
static ulong turns_per_ms(void)
{
	const ulong turns = 200000;
	u64 best = U64_MAX;
	int i;

	for (i = 0; i < 5; i++) {
		u64 start = ktime_get_ns();

		nmiprof_load_irqs_on(turns);
		best = min(best, ktime_get_ns() - start);
	}
	return div64_u64(turns * (u64)NSEC_PER_MSEC, best ?: 1);
}

static int work(void *data)
{
	struct load *load = data;
	const ulong off = max(1UL, turns_per_ms() * section_us / 1000);
	const ulong on = off * (100 - percent) / (percent ?: 1);
	unsigned long flags;

	while (!kthread_should_stop()) {
		if (percent) {
			load_lock_irqsave(&load->lock, flags);
			nmiprof_load_irqs_off(off);
			load_unlock_irqrestore(&load->lock, flags);
			atomic_long_add(off, &turns_off);
		}
		nmiprof_load_irqs_on(on);
		atomic_long_add(on, &turns_on);
		/* Or ftrace and BPF would wait for this thread for ever. */
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static void stop_all(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (loads[cpu].thread)
			kthread_stop(loads[cpu].thread);
	kfree(loads);
}

static int __init nmiprof_load_init(void)
{
	struct cpumask *mask = kzalloc(sizeof(*mask), GFP_KERNEL);
	unsigned int cpu;
	int err = -ENOMEM;

	loads = kcalloc(nr_cpu_ids, sizeof(*loads), GFP_KERNEL);
	if (!mask || !loads)
		goto fail;
	err = -EINVAL;
	if (percent > 99 || !section_us || cpulist_parse(cpus, mask) ||
	    !cpumask_subset(mask, cpu_online_mask))
		goto fail;
	for_each_cpu(cpu, mask) {
		struct load *load = &loads[cpu];
		struct task_struct *thread;

		load_lock_init(&load->lock);
		thread = kthread_create(work, load, "nmiprof_load/%u", cpu);
		err = PTR_ERR_OR_ZERO(thread);
		if (err)
			goto fail;
		kthread_bind(thread, cpu);
		load->thread = thread;
		wake_up_process(thread);
	}
	kfree(mask);
	return 0;

fail:
	if (loads)
		stop_all();
	kfree(mask);
	return err;
}

static void __exit nmiprof_load_exit(void)
{
	stop_all();
}

module_init(nmiprof_load_init);
module_exit(nmiprof_load_exit);

MODULE_DESCRIPTION("nmiprof: a load that holds interrupts off for a known share of its work");
MODULE_LICENSE("GPL");
