// SPDX-License-Identifier: GPL-2.0-only
/*
 * nmiprof:nmi_sample, a consumer of the NMI stream like the profile: its handler is
 * registered while somebody traces, so it costs nothing at all else.
 */
#include <linux/mutex.h>
#include <linux/perf_event.h>
#include <linux/trace_events.h>

#include "internal.h"
#include "nmiprof_core.h"

/*
 * The generated probes take the stack of their caller, which is the NMI handler. These
 * two make them take that of the event's @regs.
 */
#define perf_fetch_caller_regs(into) ((into) = regs)
/* lint: MACRO_ARG_REUSE: called by one macro of the kernel's, with the address of a variable */
#define trace_event_buffer_commit(buffer) \
	((buffer)->regs = regs, trace_event_buffer_commit(buffer))

#define CREATE_TRACE_POINTS
#include "trace_sample.h"

static DEFINE_MUTEX(lock);
static int number; /* of the handler, 0: none */
static bool traced; /* a probe is attached */
static bool ready; /* the core is there */

static unsigned int on_nmi(void *context, const struct nmiprof_nmi *nmi)
{
	if (nmi->how & NMIPROF_FOREIGN)
		return 0;
	trace_nmi_sample(nmi->regs, nmi);
	return 1;
}

/* With the lock held. 0, or the registry's error. */
static int follow(void)
{
	int err = 0;

	if (traced && ready && !number) {
		err = nmiprof_core_handler_add("trace", on_nmi, NULL);
		number = max(err, 0);
	} else if (number && !(traced && ready)) {
		nmiprof_core_handler_remove(number);
		number = 0;
	}
	return min(err, 0);
}

static int set(bool *what, bool value)
{
	int err;

	mutex_lock(&lock);
	*what = value;
	err = follow();
	if (err)
		*what = !value;
	mutex_unlock(&lock);
	return err;
}

/*
 * Called when the first probe is attached, and when the last one is gone. For ftrace
 * that can be before the module's init (trace_event= at boot) and after its exit.
 */
int nmiprof_trace_sample_reg(void)
{
	return set(&traced, true);
}

void nmiprof_trace_sample_unreg(void)
{
	set(&traced, false);
}

int nmiprof_trace_sample_add(void)
{
	return set(&ready, true);
}

void nmiprof_trace_sample_remove(void)
{
	set(&ready, false);
}
