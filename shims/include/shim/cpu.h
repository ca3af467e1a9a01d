/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUs and the memory that belongs to each. */
#ifndef SHIM_CPU_H
#define SHIM_CPU_H

#include "shim/types.h"

struct nmiprof_cpu;

SHIM_BEGIN

/* CPU numbers are below this; constant after boot. Any context. */
unsigned int shim_nr_cpu_ids(void) SHIM_NOEXCEPT;

/*
 * Hold CPUs where they are: none goes off- or online in between. Process
 * context, sleeps; taken before shim_update_lock(). Hotplug callbacks run with
 * it held by the kernel.
 */
void shim_cpus_lock(void) SHIM_NOEXCEPT;
void shim_cpus_unlock(void) SHIM_NOEXCEPT;

/* One turn of a busy-wait loop. Any context. */
void shim_cpu_relax(void) SHIM_NOEXCEPT;

/* Any context; the answer is stable only while CPUs are held. */
int shim_cpu_online(unsigned int cpu) SHIM_NOEXCEPT;
int shim_cpu_present(unsigned int cpu) SHIM_NOEXCEPT;

/*
 * The core's state of a CPU, sizeof(struct nmiprof_cpu) bytes, zeroed at load,
 * cache-line aligned. Made by shim_cpu_states_alloc() (process context, 0 or
 * -ENOMEM). Any context, any CPU.
 */
int shim_cpu_states_alloc(shim_size bytes) SHIM_NOEXCEPT;
void shim_cpu_states_free(void) SHIM_NOEXCEPT;
struct nmiprof_cpu *shim_cpu_state(unsigned int cpu) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_CPU_H */
