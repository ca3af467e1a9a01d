// SPDX-License-Identifier: GPL-2.0-only
/* Updaters and readers of the core's rcu_ptr. */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "torture.h"

static struct task_struct *updater;
static struct task_struct **readers;

static int update(void *unused)
{
	struct torture_pipe pipe = { LIST_HEAD_INIT(pipe.list) };

	while (torture_go_on()) {
		struct torture_object *fresh = torture_object_get(0);

		if (fresh) {
			struct torture_object *old = torture_pointer_swap(fresh);

			if (old)
				torture_object_age(&pipe, old);
			torture_did(TORTURE_SWAPS);
		}
		torture_pipe_age(&pipe);
	}
	torture_pointer_swap(NULL);
	return 0;
}

static void look_in_irq(void *unused)
{
	torture_pointer_look(TORTURE_IRQ);
}

static int read(void *number)
{
	unsigned int cpu = (unsigned long)number;

	while (torture_go_on()) {
		unsigned int i;

		for (i = 0; i < 100; i++)
			torture_pointer_look(TORTURE_THREAD);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
		/* -ENXIO: it has just gone offline. */
		if (torture_irqreader)
			smp_call_function_single(cpu, look_in_irq, NULL, 1);
		schedule_timeout_interruptible(1);
	}
	return 0;
}

int torture_pointer_start(void)
{
	unsigned long i;

	readers = kcalloc(torture_nreaders, sizeof(*readers), GFP_KERNEL);
	if (!readers)
		return -ENOMEM;
	updater = torture_thread(update, NULL, -1, "torture_swap");
	if (!updater)
		return -ENOMEM;
	for (i = 0; i < torture_nreaders; i++) {
		readers[i] = torture_thread(read, (void *)i, -1, "torture_read");
		if (!readers[i])
			return -ENOMEM;
	}
	return 0;
}

void torture_pointer_stop(void)
{
	unsigned int i;

	for (i = 0; readers && i < torture_nreaders; i++)
		torture_thread_stop(&readers[i]);
	torture_thread_stop(&updater);
	kfree(readers);
}
