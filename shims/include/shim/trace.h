/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints nmiprof:* (shims/tracepoints.h); each costs a jump while it is off. */
#ifndef SHIM_TRACE_H
#define SHIM_TRACE_H

#include "shim/types.h"

/* Why an NMI of ours was given up. */
enum nmiprof_lost {
	NMIPROF_LOST_OFFLINE,
	NMIPROF_LOST_TIMEOUT,
};

SHIM_BEGIN

/* Process context. */
void shim_trace_handler_registered(unsigned int number, const char *name) SHIM_NOEXCEPT;
void shim_trace_handler_replaced(unsigned int number, const char *name) SHIM_NOEXCEPT;
void shim_trace_handler_unregistered(unsigned int number, const char *name) SHIM_NOEXCEPT;
void shim_trace_buffer_swapped(shim_u64 old_bytes, shim_u64 new_bytes,
			       shim_u64 grace_period_ns) SHIM_NOEXCEPT;

/* Process context or hard interrupt. */
void shim_trace_nmi_lost(unsigned int cpu, enum nmiprof_lost why) SHIM_NOEXCEPT;

/* NMI context. */
void shim_trace_nmi_late(unsigned int cpu) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_TRACE_H */
