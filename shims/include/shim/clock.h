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
shim_u32 shim_cycles(void) SHIM_NOEXCEPT;
#else
/*
 * Cycles of this CPU, modulo 2^32 (a second or more): for short times between
 * readings of the same CPU. Inline, and the low half only, as the NMI path reads it
 * twice.
 */
static inline shim_u32 shim_cycles(void)
{
	/* lint: cppcoreguidelines-init-variables: the instruction writes it */
	shim_u32 low;

	asm volatile("rdtsc" : "=a"(low) : : "rdx");
	return low;
}
#endif

SHIM_END

#endif /* SHIM_CLOCK_H */
