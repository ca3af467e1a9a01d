// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/perf_event.h>

#include "shim/counter.h"
#include "check.h"
#include "nmi_handler.h"

static void on_overflow(struct perf_event *event, struct perf_sample_data *data,
			struct pt_regs *regs)
{
	nmiprof_overflow(regs);
}

int shim_counter_create(unsigned int cpu, shim_u64 rate_hz, struct perf_event **out)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.freq = 1,
		.sample_freq = rate_hz,
		.disabled = 1,
	};
	struct perf_event *event;

	shim_check(may_sleep);
	event = perf_event_create_kernel_counter(&attr, cpu, NULL, on_overflow, NULL);
	if (IS_ERR(event))
		return PTR_ERR(event);
	if (event->pmu->capabilities & PERF_PMU_CAP_NO_INTERRUPT) {
		perf_event_release_kernel(event);
		return -EOPNOTSUPP;
	}
	*out = event;
	return 0;
}

void shim_counter_start(struct perf_event *counter)
{
	perf_event_enable(counter);
}

void shim_counter_destroy(struct perf_event *counter)
{
	shim_check(may_sleep);
	perf_event_release_kernel(counter);
}
