/* SPDX-License-Identifier: GPL-2.0-only */
/* Clocks. Any context, NMI included. */
#ifndef SHIM_CLOCK_H
#define SHIM_CLOCK_H

#include "shim/types.h"

SHIM_BEGIN

/* CLOCK_MONOTONIC in ns: stands still during suspend. */
shim_u64 shim_now_ns(void) SHIM_NOEXCEPT;

/* Cycles of this CPU's time stamp counter per millisecond. */
shim_u64 shim_cycles_per_ms(void) SHIM_NOEXCEPT;

#ifdef NMIPROF_HOST
shim_u64 shim_cycles(void) SHIM_NOEXCEPT;
#else
/*
 * Cycles since some moment, of this CPU: compare only with readings of the same
 * CPU. Inline, as a call would cost the NMI path more than the reading.
 */
static inline shim_u64 shim_cycles(void)
{
	shim_u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (shim_u64)high << 32 | low;
}
#endif

SHIM_END

#endif /* SHIM_CLOCK_H */
