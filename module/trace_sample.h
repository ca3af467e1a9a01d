/* SPDX-License-Identifier: GPL-2.0-only */
/* nmiprof:nmi_sample; the others are in shims/tracepoints.h. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nmiprof

#if !defined(MODULE_TRACE_SAMPLE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MODULE_TRACE_SAMPLE_H

#include <linux/ptrace.h>
#include <linux/tracepoint.h>

#include "shim/nmi.h"

int nmiprof_trace_sample_reg(void);
void nmiprof_trace_sample_unreg(void);

/*
 * A tick. Its stack, in perf, ftrace and BPF alike, is that of what the NMI interrupted:
 * trace_sample.c hands @regs to them.
 */
TRACE_EVENT_FN(nmi_sample,
	TP_PROTO(struct pt_regs *regs, const struct nmiprof_nmi *nmi),
	TP_ARGS(regs, nmi),
	TP_STRUCT__entry(
		__field(unsigned long, ip)
		__field(bool, irqs_off)
		__field(bool, user)
		__field(bool, idle)
		__field(unsigned int, sender)
	),
	TP_fast_assign(
		__entry->ip = nmi->ip;
		__entry->irqs_off = !!(nmi->how & NMIPROF_IRQS_OFF);
		__entry->user = !!(nmi->how & NMIPROF_USER);
		__entry->idle = !!(nmi->how & NMIPROF_IDLE);
		__entry->sender = nmi->sender;
	),
	TP_printk("ip=%pS irqs_off=%d user=%d idle=%d sender=%u", (void *)__entry->ip,
		  __entry->irqs_off, __entry->user, __entry->idle, __entry->sender),
	nmiprof_trace_sample_reg, nmiprof_trace_sample_unreg
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_sample
#include <trace/define_trace.h>
