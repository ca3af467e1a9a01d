// SPDX-License-Identifier: GPL-2.0-only
#include <linux/string.h>

#include "shim/trace.h"

#define CREATE_TRACE_POINTS
#include "tracepoints.h"

void shim_trace_handler_registered(unsigned int number, const char *name)
{
	trace_handler_registered(number, name);
}

void shim_trace_handler_replaced(unsigned int number, const char *name)
{
	trace_handler_replaced(number, name);
}

void shim_trace_handler_unregistered(unsigned int number, const char *name)
{
	trace_handler_unregistered(number, name);
}

void shim_trace_buffer_swapped(shim_u64 old_bytes, shim_u64 new_bytes, shim_u64 grace_period_ns)
{
	trace_buffer_swapped(old_bytes, new_bytes, grace_period_ns);
}

void shim_trace_nmi_lost(unsigned int cpu, enum nmiprof_lost why)
{
	trace_nmi_lost(cpu, why);
}

void shim_trace_nmi_late(unsigned int cpu)
{
	trace_nmi_late(cpu);
}
