/* SPDX-License-Identifier: GPL-2.0-only */
/* A PMU's counters, where the machine has one: the source of NMIs besides the timers. */
#ifndef SHIM_COUNTER_H
#define SHIM_COUNTER_H

#include "shim/types.h"

struct nmiprof_cpu;
struct perf_event;
struct pt_regs;

SHIM_BEGIN

/*
 * A counter of @cpu's cycles that overflows @rate_hz times a second while the CPU is
 * not halted. It does not count yet. Process context, CPUs held. 0, or -errno:
 * -ENOENT or -EOPNOTSUPP where there is no PMU or none that interrupts.
 */
int shim_counter_create(unsigned int cpu, shim_u64 rate_hz, struct perf_event **out) SHIM_NOEXCEPT;
void shim_counter_start(struct perf_event *counter) SHIM_NOEXCEPT;
/* On return no CPU is in the call up for it. */
void shim_counter_destroy(struct perf_event *counter) SHIM_NOEXCEPT;

/* Call up: one overflow on @cpu. NMI context. */
void nmiprof_core_on_overflow(struct nmiprof_cpu *cpu, struct pt_regs *regs, shim_u64 ip,
			      shim_u32 how) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_COUNTER_H */
