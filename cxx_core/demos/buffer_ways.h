/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The profile buffer in three ways (buffer_ways.hpp) as module/demos/ sees it: builtin
 * integers, 0 or -errno. Process context that may sleep, unless said otherwise.
 */
#ifndef DEMOS_BUFFER_WAYS_H
#define DEMOS_BUFFER_WAYS_H

#include "demos/durations.h"
#include "shim/types.h"

SHIM_BEGIN

enum buffer_ways_way { BUFFER_WAYS_RACY, BUFFER_WAYS_LOCK, BUFFER_WAYS_RCU, BUFFER_WAYS_WAYS };

/* How long an NMI may be told to stay in the buffer, ns. */
#define BUFFER_WAYS_MAX_HOLD_NS 100000

/* Samples since the module was loaded, in the order of the names in the ledger's dump. */
struct buffer_ways_ledger {
	shim_u64 samples; /* NMIs seen */
	shim_u64 drained; /* in buffers that were summed up and freed */
	shim_u64 live; /* in the buffer that is there */
	shim_u64 no_buffer, lock_held, raced; /* lost: why */
	shim_u64 unaccounted; /* what samples exceeds the others by */
	shim_u64 seen_freed[BUFFER_WAYS_WAYS]; /* NMIs that met a freed buffer */
};

void buffer_ways_init(void) SHIM_NOEXCEPT;
/* Before the NMI handler is registered. 0, -ENOMEM. */
int buffer_ways_start(void) SHIM_NOEXCEPT;
/* After it was unregistered, and the last writer has ended. */
void buffer_ways_stop(void) SHIM_NOEXCEPT;
/* One sample of this CPU, @cpu. NMI context, between start and stop. */
void buffer_ways_sample(unsigned int cpu) SHIM_NOEXCEPT;
/* Between start and stop. 0, -ENOMEM. */
int buffer_ways_swap(void) SHIM_NOEXCEPT;

enum buffer_ways_way buffer_ways_get_way(void) SHIM_NOEXCEPT;
/* Any time. 0; -ENOMEM: nothing was changed. */
int buffer_ways_set_way(enum buffer_ways_way way) SHIM_NOEXCEPT;
shim_u64 buffer_ways_hold_ns(void) SHIM_NOEXCEPT;
/* @ns: up to BUFFER_WAYS_MAX_HOLD_NS. */
void buffer_ways_set_hold_ns(shim_u64 ns) SHIM_NOEXCEPT;

/* Of all CPUs. 0; -EAGAIN: a CPU stood still in an NMI for a second. */
int buffer_ways_read(struct buffer_ways_ledger *out) SHIM_NOEXCEPT;
/* Of one CPU since the last start. Also -ENOENT: no such CPU, or not started. */
int buffer_ways_read_cpu(unsigned int cpu, struct buffer_ways_ledger *out) SHIM_NOEXCEPT;
/* How long swaps took, from taking a buffer away until it might be freed. */
void buffer_ways_swaps(enum buffer_ways_way way, struct demo_durations *out) SHIM_NOEXCEPT;
void buffer_ways_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_BUFFER_WAYS_H */
