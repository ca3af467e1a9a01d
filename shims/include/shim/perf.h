/* SPDX-License-Identifier: GPL-2.0-only */
/* perf: the way of a sample into its ring buffer. */
#ifndef SHIM_PERF_H
#define SHIM_PERF_H

#include "shim/types.h"

struct perf_event;
struct perf_event_attr;
struct pt_regs;

SHIM_BEGIN

/*
 * One sample for @event, of what @regs say was interrupted, that stands for @period_ns.
 * NMI context, on the CPU where @event is active.
 */
void shim_perf_sample(struct perf_event *event, struct pt_regs *regs,
		      shim_u64 period_ns) SHIM_NOEXCEPT;

/* -EINVAL: @attr asks for something that only newer kernels have a name for. */
int shim_perf_check_newer(const struct perf_event_attr *attr) SHIM_NOEXCEPT;

/* kernel.perf_event_max_sample_rate, per second. Process context, sleeps. */
shim_u64 shim_perf_max_sample_rate(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_PERF_H */
