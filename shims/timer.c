// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/version.h>

#include "shim/timer.h"
#include "check.h"

/* HARD: in hard interrupt context on PREEMPT_RT too. */
#define TIMER_MODE HRTIMER_MODE_ABS_PINNED_HARD

struct sender_timer {
	struct hrtimer timer;
	call_single_data_t kick;
};

static DEFINE_PER_CPU(struct sender_timer, sender_timers);

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	const u64 next = nmiprof_core_on_timer(smp_processor_id(), ktime_get_ns());

	if (!next)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(timer, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

/* On the CPU whose timer it is, in the interrupt of the IPI. */
static void start(void *unused)
{
	struct sender_timer *t = this_cpu_ptr(&sender_timers);
	const u64 expiry = nmiprof_core_timer_start(smp_processor_id());

	if (expiry)
		hrtimer_start(&t->timer, ns_to_ktime(expiry), TIMER_MODE);
}

void shim_timer_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct sender_timer *t = per_cpu_ptr(&sender_timers, cpu);

/* lint: LINUX_VERSION_CODE, CONSTANT_COMPARISON: versions are told apart here */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
		hrtimer_setup(&t->timer, expired, CLOCK_MONOTONIC, TIMER_MODE);
#else
		hrtimer_init(&t->timer, CLOCK_MONOTONIC, TIMER_MODE);
		t->timer.function = expired;
#endif
		INIT_CSD(&t->kick, start, NULL);
	}
}

void shim_timer_kick(unsigned int cpu)
{
	struct sender_timer *t = per_cpu_ptr(&sender_timers, cpu);

	/* -EBUSY: a start is under way, and will see the newest plan. */
	smp_call_function_single_async(cpu, &t->kick);
}

void shim_timer_cancel(unsigned int cpu)
{
	shim_check(may_sleep);
	hrtimer_cancel(&per_cpu_ptr(&sender_timers, cpu)->timer);
}

static void nothing(void *unused)
{
}

void shim_timer_flush(void)
{
	shim_check(may_sleep);
	/* Behind any start in the CPU's queue, or alongside it in one interrupt. */
	on_each_cpu(nothing, NULL, 1);
}
