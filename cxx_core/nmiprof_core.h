/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core as module/ sees it: opaque handles, builtin integers, 0 or -errno.
 * Process context that may sleep, unless it says otherwise. "CPUs held" means
 * between shim_cpus_lock() and shim_cpus_unlock(), or in a hotplug callback.
 */
#ifndef NMIPROF_CORE_H
#define NMIPROF_CORE_H

#include "shim/nmi.h"
#include "shim/types.h"

struct nmiprof_event;
struct nmiprof_report;
struct perf_event;

/* What a user can set. */
struct nmiprof_settings {
	shim_u64 rate_hz;
	shim_u64 granularity; /* bytes per bin; 0: automatic */
	shim_u32 shared_layout; /* 1: one set of counters for all CPUs */
	shim_u32 all_cpus; /* 1: cpus is not looked at */
	shim_u32 from_pmu; /* 1: samples come from a hardware counter, not from timers */
	const shim_u64 *cpus; /* bit mask of nr_cpu_ids bits */
};

/* Fields of struct nmiprof_settings to take; the others stay as they are. */
enum nmiprof_field {
	NMIPROF_RATE_HZ = 1 << 0,
	NMIPROF_GRANULARITY = 1 << 1,
	NMIPROF_LAYOUT = 1 << 2,
	NMIPROF_CPUS = 1 << 3,
	NMIPROF_SOURCE = 1 << 4,
};

/* One line of a report. */
struct nmiprof_row {
	shim_u64 address; /* of the first byte */
	shim_u64 total; /* samples */
	shim_u64 irqs_off; /* of them with interrupts off */
};

/* What a report says besides its rows. */
struct nmiprof_report_info {
	shim_u64 text_start, text_end; /* of the kernel image, [start, end) */
	shim_u64 granularity; /* bytes per bin */
	shim_u64 outside_granularity; /* bytes per row outside the image */
	shim_u64 bins, outside_rows; /* number of rows */
	shim_u64 samples, user, idle, out_of_range;
};

/* What a perf event does not want to see. */
enum nmiprof_event_flags {
	NMIPROF_EVENT_NO_USER = 1 << 0,
	NMIPROF_EVENT_NO_KERNEL = 1 << 1,
	NMIPROF_EVENT_NO_IDLE = 1 << 2,
	NMIPROF_EVENT_IRQS_OFF = 1 << 3, /* only code with interrupts off */
};

/* Room for the terms of the ledger. */
#define NMIPROF_MAX_TERMS 32

/* One handler on one CPU. */
struct nmiprof_handler_stats {
	shim_u64 invocations, claims, longest_ns;
};

SHIM_BEGIN

/* Limits in bytes on buffer memory. -ENOMEM. */
int nmiprof_core_init(shim_u64 bytes_per_cpu, shim_u64 bytes_total) SHIM_NOEXCEPT;
/* After nmiprof_core_disable(), with no NMI handler registered any more. */
void nmiprof_core_exit(void) SHIM_NOEXCEPT;

/*
 * Validates the whole, makes what it needs, then lets it take effect, at once
 * when sampling. Else nothing changes and the log says why. CPUs held.
 * -EINVAL, -ERANGE, -ENODEV, -ENOMEM.
 */
int nmiprof_core_configure(const struct nmiprof_settings *settings,
			   unsigned int fields) SHIM_NOEXCEPT;
/* The settings; @cpus points to the core's own mask of nr_cpu_ids bits at least. */
void nmiprof_core_settings(struct nmiprof_settings *out) SHIM_NOEXCEPT;

/*
 * Start and stop sampling; to do it twice is no error. CPUs held. Errors as above; -ENOSPC,
 * -EEXIST: the handler registry is full, or has another "profile".
 */
int nmiprof_core_enable(void) SHIM_NOEXCEPT;
void nmiprof_core_disable(void) SHIM_NOEXCEPT;
int nmiprof_core_enabled(void) SHIM_NOEXCEPT;

/* Hotplug callbacks. -ENOMEM. */
int nmiprof_core_cpu_online(unsigned int cpu) SHIM_NOEXCEPT;
int nmiprof_core_cpu_offline(unsigned int cpu) SHIM_NOEXCEPT;

/* Around a system suspend. CPUs held. */
void nmiprof_core_suspend(void) SHIM_NOEXCEPT;
void nmiprof_core_resume(void) SHIM_NOEXCEPT;

/* The kernel panics: send nothing any more. Any context. */
void nmiprof_core_halt(void) SHIM_NOEXCEPT;

/*
 * The ledger: names of the terms, NULL after the last, and the terms of one CPU,
 * all of one moment. -ENODEV: no such CPU. -EAGAIN: it did not hold still.
 */
const char *nmiprof_core_term_name(unsigned int term) SHIM_NOEXCEPT;
unsigned int nmiprof_core_terms(void) SHIM_NOEXCEPT;
int nmiprof_core_ledger(unsigned int cpu, shim_u64 *out) SHIM_NOEXCEPT;
/* Samples whose bins were given up undrained, as the buffer changed its shape. */
shim_u64 nmiprof_core_discarded(void) SHIM_NOEXCEPT;
/* Bytes of the live buffer, and its bytes per bin. 0: none. */
shim_u64 nmiprof_core_buffer_bytes(void) SHIM_NOEXCEPT;
shim_u64 nmiprof_core_buffer_granularity(void) SHIM_NOEXCEPT;

/*
 * A report of the live buffer, which goes on (@drain 0), or of what was counted
 * since the last drain, with an empty buffer in its place (1). -ENOMEM: nothing
 * changed.
 */
int nmiprof_core_report(int drain, struct nmiprof_report **out) SHIM_NOEXCEPT;
void nmiprof_core_report_free(struct nmiprof_report *report) SHIM_NOEXCEPT;
void nmiprof_core_report_info(const struct nmiprof_report *report,
			      struct nmiprof_report_info *info) SHIM_NOEXCEPT;
/* Row @at of the bins, then of the text outside. 0 <= @at < bins + outside_rows. */
void nmiprof_core_report_row(const struct nmiprof_report *report, shim_u64 at,
			     struct nmiprof_row *row) SHIM_NOEXCEPT;

/*
 * The registry. add returns a number > 0, which the others take. When replace or
 * remove returns, no CPU runs the former function. -EINVAL, -EEXIST, -ENOSPC,
 * -ENOMEM, -ENOENT.
 */
int nmiprof_core_handler_add(const char *name, nmiprof_handler_fn fn, void *context) SHIM_NOEXCEPT;
int nmiprof_core_handler_replace(unsigned int number, nmiprof_handler_fn fn,
				 void *context) SHIM_NOEXCEPT;
int nmiprof_core_handler_remove(unsigned int number) SHIM_NOEXCEPT;
/* Copies the name, up to @room bytes with the final 0. -ENOENT: number not in use. */
int nmiprof_core_handler_name(unsigned int number, char *out, unsigned int room) SHIM_NOEXCEPT;
unsigned int nmiprof_core_max_handlers(void) SHIM_NOEXCEPT;
int nmiprof_core_handler_stats(unsigned int number, unsigned int cpu,
			       struct nmiprof_handler_stats *out) SHIM_NOEXCEPT;

/*
 * One sample of @cpu, now, sent by this CPU, which is @self, on top of its periods.
 * Interrupts off, not from an NMI. -ENODEV: offline. -EAGAIN: somebody else is sending
 * to it right now.
 */
int nmiprof_core_request(unsigned int self, unsigned int cpu) SHIM_NOEXCEPT;

/*
 * perf events. open: perf's samples are taken, every @period_ns at the shortest, when the
 * event is started somewhere. @flags: enum nmiprof_event_flags. -ERANGE, -ENOSPC,
 * -EEXIST, -ENOMEM. inherit: a copy of @of, which lives longer. -ENOMEM. period: another one.
 * -ERANGE. close: of one that is not started.
 *
 * The last three take no lock. After open, close and period changes() lets the timers
 * follow, soon; CPUs held.
 */
int nmiprof_core_event_open(struct perf_event *perf, shim_u64 period_ns, shim_u32 flags,
			    struct nmiprof_event **out) SHIM_NOEXCEPT;
int nmiprof_core_event_inherit(struct nmiprof_event *of, struct perf_event *perf,
			       shim_u32 flags, struct nmiprof_event **out) SHIM_NOEXCEPT;
int nmiprof_core_event_period(struct nmiprof_event *event, shim_u64 period_ns) SHIM_NOEXCEPT;
void nmiprof_core_event_close(struct nmiprof_event *event) SHIM_NOEXCEPT;
void nmiprof_core_event_changes(void) SHIM_NOEXCEPT;

/*
 * Take samples of @cpu, which this runs on, and no more. Each once, in turns.
 * Interrupts off, not from an NMI. When stop returns, no NMI serves the event.
 */
void nmiprof_core_event_start(struct nmiprof_event *event, unsigned int cpu) SHIM_NOEXCEPT;
void nmiprof_core_event_stop(struct nmiprof_event *event, unsigned int cpu) SHIM_NOEXCEPT;

/* Percent of a CPU's time that perf samples may take, 0: no limit. Any context. */
void nmiprof_core_set_perf_budget(unsigned int percent) SHIM_NOEXCEPT;
unsigned int nmiprof_core_perf_budget(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* NMIPROF_CORE_H */
