// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "shim/affinity.h"
#include "check.h"

struct shim_affinity *shim_affinity_keep(void)
{
	struct cpumask *kept;

	shim_check(may_sleep);
	kept = kmalloc(cpumask_size(), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (kept)
		cpumask_copy(kept, current->cpus_ptr);
	return (struct shim_affinity *)kept;
}

void shim_affinity_restore(struct shim_affinity *kept)
{
	struct cpumask *cpus = (struct cpumask *)kept;

	shim_check(may_sleep);
	/* No CPU goes meanwhile: bound to one that goes, PREEMPT_RT's migrate_enable() warns. */
	cpus_read_lock();
	set_cpus_allowed_ptr(current, cpus);
	cpus_read_unlock();
	kfree(cpus);
}

int shim_run_on(unsigned int cpu)
{
	int err;

	shim_check(may_sleep);
	/* Somebody else may change it at the same time (taskset): being there is what counts. */
	do {
		err = set_cpus_allowed_ptr(current, cpumask_of(cpu));
	} while (!err && raw_smp_processor_id() != cpu);
	return err;
}
