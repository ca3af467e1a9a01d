/* SPDX-License-Identifier: GPL-2.0-only */
/* One high-resolution timer on each CPU, fired in hard interrupt context. */
#ifndef SHIM_TIMER_H
#define SHIM_TIMER_H

#include "shim/types.h"

SHIM_BEGIN

/*
 * Calls up. Hard interrupt, on CPU @cpu.
 * nmiprof_core_timer_start: when the first expiry is due, ns of shim_now_ns(), or 0
 * to leave the timer off. nmiprof_core_on_timer: @now_ns is the clock that the
 * timer went by, never before its expiry; when the next expiry is due, or 0 to stop.
 */
shim_u64 nmiprof_core_timer_start(unsigned int cpu) SHIM_NOEXCEPT;
shim_u64 nmiprof_core_on_timer(unsigned int cpu, shim_u64 now_ns) SHIM_NOEXCEPT;

/* Before all else. Process context. */
void shim_timer_init(void) SHIM_NOEXCEPT;

/*
 * Ask @cpu to start its timer; returns at once, it starts when the CPU takes
 * interrupts. Process context, preemption off or CPUs held.
 */
void shim_timer_kick(unsigned int cpu) SHIM_NOEXCEPT;

/* Stop @cpu's timer and wait for its callback. Process context. */
void shim_timer_cancel(unsigned int cpu) SHIM_NOEXCEPT;

/* Wait until no start asked for by shim_timer_kick() is under way. Process context. */
void shim_timer_flush(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_TIMER_H */
