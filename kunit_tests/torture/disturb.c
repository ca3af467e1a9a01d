// SPDX-License-Identifier: GPL-2.0-only
/* What makes life hard: fire, hotplug, stalls with interrupts off. */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "nmiprof.h"
#include "torture.h"

static char *senders = "";
module_param(senders, charp, 0444);
MODULE_PARM_DESC(senders, "CPUs that ask for NMIs, one thread each (a list; default none)");

static char *targets = "";
module_param(targets, charp, 0444);
MODULE_PARM_DESC(targets, "CPUs that they are sent to, in turn (a list)");

static uint fire_pause_us;
module_param(fire_pause_us, uint, 0644);
MODULE_PARM_DESC(fire_pause_us, "Pause of the senders after each round (default 0)");

static uint onoff_interval;
module_param(onoff_interval, uint, 0444);
MODULE_PARM_DESC(onoff_interval, "Take a CPU offline or online so often, ms (default 0: never)");

static char *onoff_cpus = "";
module_param(onoff_cpus, charp, 0444);
MODULE_PARM_DESC(onoff_cpus, "Those that go offline (a list)");

static uint stall_cpu;
module_param(stall_cpu, uint, 0444);
MODULE_PARM_DESC(stall_cpu, "Spin with interrupts off so long, ms (default 0: never)");

static uint stall_cpu_interval = 500;
module_param(stall_cpu_interval, uint, 0444);
MODULE_PARM_DESC(stall_cpu_interval, "... so often, on one CPU after the other, ms (default 500)");

static cpumask_var_t sender_mask, target_mask, onoff_mask;
static struct task_struct **firing, *onoff_thread, *stall_thread;

static int fire(void *unused)
{
	unsigned int cpu, i;

	while (torture_go_on()) {
		for (i = 0; i < 100; i++) {
			for_each_cpu(cpu, target_mask)
				if (!nmiprof_sample(cpu))
					torture_did(TORTURE_SENT);
			if (fire_pause_us)
				udelay(fire_pause_us);
		}
		cond_resched();
	}
	return 0;
}

static int onoff(void *unused)
{
	unsigned int cpu = 0;

	while (!kthread_should_stop()) {
		schedule_timeout_interruptible(msecs_to_jiffies(onoff_interval));
		cpu = cpumask_next(cpu, onoff_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(onoff_mask);
		if (!cpu_online(cpu) && !add_cpu(cpu))
			torture_did(TORTURE_ONLINES);
		else if (!remove_cpu(cpu))
			torture_did(TORTURE_OFFLINES);
	}
	for_each_cpu(cpu, onoff_mask)
		if (!cpu_online(cpu) && !add_cpu(cpu))
			torture_did(TORTURE_ONLINES);
	return 0;
}

static void stall_here(void *unused)
{
	mdelay(stall_cpu);
	torture_did(TORTURE_STALLS);
}

static int stall(void *unused)
{
	unsigned int cpu = 0;

	while (torture_go_on()) {
		schedule_timeout_interruptible(msecs_to_jiffies(stall_cpu_interval));
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
		smp_call_function_single(cpu, stall_here, NULL, 0);
	}
	return 0;
}

static int parse_masks(void)
{
	if (!zalloc_cpumask_var(&sender_mask, GFP_KERNEL) ||
	    !zalloc_cpumask_var(&target_mask, GFP_KERNEL) ||
	    !zalloc_cpumask_var(&onoff_mask, GFP_KERNEL))
		return -ENOMEM;
	return cpulist_parse(senders, sender_mask) ?: cpulist_parse(targets, target_mask) ?:
	       cpulist_parse(onoff_cpus, onoff_mask);
}

int torture_disturb_start(void)
{
	int err = parse_masks();
	unsigned int cpu;

	if (err)
		return err;
	firing = kcalloc(nr_cpu_ids, sizeof(*firing), GFP_KERNEL);
	if (!firing)
		return -ENOMEM;
	for_each_cpu_and(cpu, sender_mask, cpu_online_mask) {
		firing[cpu] = torture_thread(fire, NULL, cpu, "torture_fire");
		if (!firing[cpu])
			return -ENOMEM;
	}
	if (onoff_interval && !cpumask_empty(onoff_mask)) {
		onoff_thread = torture_thread(onoff, NULL, -1, "torture_onoff");
		if (!onoff_thread)
			return -ENOMEM;
	}
	if (stall_cpu) {
		stall_thread = torture_thread(stall, NULL, -1, "torture_stall");
		if (!stall_thread)
			return -ENOMEM;
	}
	return 0;
}

void torture_disturb_stop(void)
{
	unsigned int cpu;

	torture_thread_stop(&stall_thread);
	torture_thread_stop(&onoff_thread);
	for (cpu = 0; firing && cpu < nr_cpu_ids; cpu++)
		torture_thread_stop(&firing[cpu]);
	kfree(firing);
	free_cpumask_var(sender_mask);
	free_cpumask_var(target_mask);
	free_cpumask_var(onoff_mask);
}
