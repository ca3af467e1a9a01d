/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waiting for grace periods (grace_periods.hpp) as module/demos/ sees it: builtin
 * integers, 0 or -errno. Process context that may sleep.
 */
#ifndef DEMOS_GRACE_PERIODS_H
#define DEMOS_GRACE_PERIODS_H

#include "demos/durations.h"
#include "shim/types.h"

SHIM_BEGIN

enum grace_periods_way {
	GRACE_PERIODS_SYNCHRONIZE,
	GRACE_PERIODS_EXPEDITED,
	GRACE_PERIODS_CALL,
	GRACE_PERIODS_POLLED,
	GRACE_PERIODS_WAYS
};

#define GRACE_PERIODS_MAX_READERS 64

/* How far behind what readers held was when they left. */
struct grace_periods_staleness {
	shim_u64 looks; /* 0: the others say nothing */
	shim_u64 versions_mean; /* thousandths of a version */
	shim_u64 versions_longest;
	shim_u64 mean_ns, longest_ns; /* between the publications */
};

struct grace_periods_counts {
	shim_u64 returned_early, seen_freed; /* since the start. Must stay 0. */
};

void grace_periods_init(void) SHIM_NOEXCEPT;
/* Before the first thread begins. 0, -ENOMEM. */
int grace_periods_start(void) SHIM_NOEXCEPT;
/* After the last one has ended. */
void grace_periods_stop(void) SHIM_NOEXCEPT;
/*
 * One look of @reader, stretched to @hold_us, during which the CPU is busy in a read
 * section. @stopping: given up when that becomes 1. Between start and stop.
 */
void grace_periods_look(unsigned int reader, shim_u64 hold_us,
			const shim_u32 *stopping) SHIM_NOEXCEPT;
/* Publish, wait, free. Between start and stop. 0, -ENOMEM. */
int grace_periods_renew(void) SHIM_NOEXCEPT;

enum grace_periods_way grace_periods_get_way(void) SHIM_NOEXCEPT;
/* Waiters that wait already go on as they began. */
void grace_periods_set_way(enum grace_periods_way way) SHIM_NOEXCEPT;

void grace_periods_waits(enum grace_periods_way way, struct demo_durations *out) SHIM_NOEXCEPT;
void grace_periods_seen_by(unsigned int reader, struct grace_periods_staleness *out) SHIM_NOEXCEPT;
void grace_periods_seen_by_all(struct grace_periods_staleness *out) SHIM_NOEXCEPT;
void grace_periods_count(struct grace_periods_counts *out) SHIM_NOEXCEPT;
void grace_periods_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_GRACE_PERIODS_H */
