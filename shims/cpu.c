// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cache.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/processor.h>

#include "shim/cpu.h"
#include "check.h"
#include "cpu_state.h"

void __percpu *nmiprof_cpu_states;

unsigned int shim_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

void shim_cpus_lock(void)
{
	shim_check(may_sleep);
	cpus_read_lock();
}

void shim_cpus_unlock(void)
{
	cpus_read_unlock();
}

void shim_cpu_relax(void)
{
	cpu_relax();
}

int shim_cpu_online(unsigned int cpu)
{
	return cpu_online(cpu);
}

int shim_cpu_present(unsigned int cpu)
{
	return cpu_present(cpu);
}

int shim_cpu_states_alloc(shim_size bytes)
{
	nmiprof_cpu_states = __alloc_percpu(bytes, SMP_CACHE_BYTES);

	return nmiprof_cpu_states ? 0 : -ENOMEM;
}

void shim_cpu_states_free(void)
{
	free_percpu(nmiprof_cpu_states);
	nmiprof_cpu_states = NULL;
}

struct nmiprof_cpu *shim_cpu_state(unsigned int cpu)
{
	/* per_cpu_ptr() of a hole in the map of CPUs would be a wild pointer. */
	return cpu_possible(cpu) ? per_cpu_ptr(nmiprof_cpu_states, cpu) : NULL;
}
