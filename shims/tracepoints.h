/* SPDX-License-Identifier: GPL-2.0-only */
/* nmiprof:* but nmi_sample, which module/trace_sample.h has. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nmiprof

#if !defined(SHIMS_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define SHIMS_TRACEPOINTS_H

#include <linux/tracepoint.h>

#include "shim/trace.h"

/* lint: OPEN_ENDED_LINE at TP_STRUCT__entry: the form that all TRACE_EVENT()s have */
/* lint: OPEN_ENDED_LINE at TP_fast_assign: as above */
/* lint: PARENTHESIS_ALIGNMENT at TP_PROTO: as above */

DECLARE_EVENT_CLASS(handler,
	TP_PROTO(unsigned int number, const char *name),
	TP_ARGS(number, name),
	TP_STRUCT__entry(
		__field(unsigned int, number)
		__array(char, name, 32)
	),
	TP_fast_assign(
		__entry->number = number;
		strscpy(__entry->name, name, sizeof(__entry->name));
	),
	TP_printk("number=%u name=%s", __entry->number, __entry->name)
);

/* On return of the call that makes it: NMIs run the handler, the new one, it no more. */
DEFINE_EVENT(handler, handler_registered,
	TP_PROTO(unsigned int number, const char *name), TP_ARGS(number, name));
DEFINE_EVENT(handler, handler_replaced,
	TP_PROTO(unsigned int number, const char *name), TP_ARGS(number, name));
DEFINE_EVENT(handler, handler_unregistered,
	TP_PROTO(unsigned int number, const char *name), TP_ARGS(number, name));

/* A drain, or a change of the buffer's shape. 0 bytes: there was, or is, none. */
TRACE_EVENT(buffer_swapped,
	TP_PROTO(u64 old_bytes, u64 new_bytes, u64 grace_period_ns),
	TP_ARGS(old_bytes, new_bytes, grace_period_ns),
	TP_STRUCT__entry(
		__field(u64, old_bytes)
		__field(u64, new_bytes)
		__field(u64, grace_period_ns)
	),
	TP_fast_assign(
		__entry->old_bytes = old_bytes;
		__entry->new_bytes = new_bytes;
		__entry->grace_period_ns = grace_period_ns;
	),
	TP_printk("old_bytes=%llu new_bytes=%llu grace_period_ns=%llu",
		  __entry->old_bytes, __entry->new_bytes, __entry->grace_period_ns)
);

TRACE_DEFINE_ENUM(NMIPROF_LOST_OFFLINE);
TRACE_DEFINE_ENUM(NMIPROF_LOST_TIMEOUT);

/* An NMI that was sent to @cpu and has not come: the ledger's lost_*. */
TRACE_EVENT(nmi_lost,
	TP_PROTO(unsigned int cpu, enum nmiprof_lost why),
	TP_ARGS(cpu, why),
	TP_STRUCT__entry(
		__field(unsigned int, cpu)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->why = why;
	),
	TP_printk("cpu=%u why=%s", __entry->cpu,
		  __print_symbolic(__entry->why, { NMIPROF_LOST_OFFLINE, "offline" },
				   { NMIPROF_LOST_TIMEOUT, "timeout" }))
);

/* An NMI that nobody claimed, taken for one of ours that another one overtook. */
TRACE_EVENT(nmi_late,
	TP_PROTO(unsigned int cpu),
	TP_ARGS(cpu),
	TP_STRUCT__entry(
		__field(unsigned int, cpu)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
	),
	TP_printk("cpu=%u", __entry->cpu)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints
#include <trace/define_trace.h>
