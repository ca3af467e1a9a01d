// SPDX-License-Identifier: GPL-2.0-only
/*
 * A load with a known truth: a thread that does a given share of its work with
 * interrupts off, inside spin_lock_irqsave() as real code does, in sections of a
 * given length. The truth is counted in turns of one and the same loop, not by the
 * clock, as being sampled stretches a section.
 *
 *	insmod nmiprof_load.ko cpu=2 percent=50 section_us=50000
 *	cat /sys/module/nmiprof_load/parameters/turns_off
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/spinlock.h>

static unsigned int cpu = 1;
module_param(cpu, uint, 0444);
MODULE_PARM_DESC(cpu, "CPU that the thread is bound to");

static unsigned int percent = 50;
module_param(percent, uint, 0444);
MODULE_PARM_DESC(percent, "Share of the work done with interrupts off, 0 to 99");

static unsigned int section_us = 1000;
module_param(section_us, uint, 0444);
MODULE_PARM_DESC(section_us, "Length of a section with interrupts off, microseconds");

static ulong turns_off;
module_param(turns_off, ulong, 0444);
MODULE_PARM_DESC(turns_off, "Turns of the loop done so far with interrupts off");

static ulong turns_on;
module_param(turns_on, ulong, 0444);
MODULE_PARM_DESC(turns_on, "Turns of the loop done so far with interrupts on");

static struct task_struct *thread;
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

/*
 * On PREEMPT_RT spin_lock_irqsave() leaves interrupts on: there only a raw lock
 * shows what this is about.
 */
#ifdef CONFIG_PREEMPT_RT
static DEFINE_RAW_SPINLOCK(lock);
#define load_lock(flags) raw_spin_lock_irqsave(&lock, flags)
#define load_unlock(flags) raw_spin_unlock_irqrestore(&lock, flags)
#else
static DEFINE_SPINLOCK(lock);
#define load_lock(flags) spin_lock_irqsave(&lock, flags)
#define load_unlock(flags) spin_unlock_irqrestore(&lock, flags)
#endif

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

static int work(void *unused)
{
	const ulong off = max(1UL, turns_per_ms() * section_us / 1000);
	const ulong on = off * (100 - percent) / (percent ?: 1);
	unsigned long flags;

	while (!kthread_should_stop()) {
		if (percent) {
			load_lock(flags);
			nmiprof_load_irqs_off(off);
			load_unlock(flags);
			turns_off += off;
		}
		nmiprof_load_irqs_on(on);
		turns_on += on;
		cond_resched();
	}
	return 0;
}

static int __init nmiprof_load_init(void)
{
	if (percent > 99 || !section_us || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	thread = kthread_create(work, NULL, "nmiprof_load");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, cpu);
	wake_up_process(thread);
	return 0;
}

static void __exit nmiprof_load_exit(void)
{
	kthread_stop(thread);
}

module_init(nmiprof_load_init);
module_exit(nmiprof_load_exit);

MODULE_DESCRIPTION("nmiprof: a load that holds interrupts off for a known share of its work");
MODULE_LICENSE("GPL");
