/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the calling thread runs. */
#ifndef SHIM_AFFINITY_H
#define SHIM_AFFINITY_H

#include "shim/types.h"

SHIM_BEGIN

struct shim_affinity;

/* The CPUs that it may run on now; NULL: no memory. Process context, sleeps. */
struct shim_affinity *shim_affinity_keep(void) SHIM_NOEXCEPT;

/*
 * Back to those; @kept is freed. When all of them have gone offline meanwhile it stays where
 * it is. Process context, sleeps.
 */
void shim_affinity_restore(struct shim_affinity *kept) SHIM_NOEXCEPT;

/*
 * Go to @cpu, which is online while CPUs are held (shim/cpu.h), and stay there: what ran there
 * before was preempted or gave up the CPU. 0 or -errno: it was not there. Process context,
 * sleeps.
 */
int shim_run_on(unsigned int cpu) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_AFFINITY_H */
