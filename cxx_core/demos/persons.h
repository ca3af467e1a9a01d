/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The person list (person_list.hpp) as module/demos/ sees it: builtin integers, 0 or
 * -errno. Process context that may sleep.
 */
#ifndef DEMOS_PERSONS_H
#define DEMOS_PERSONS_H

#include "demos/durations.h"
#include "shim/types.h"

SHIM_BEGIN

enum persons_contest { PERSONS_MONEY_PER_AGE, PERSONS_MONEY_PER_IQ, PERSONS_IQ_MINUS_AGE };

#define PERSONS_MAX_SIZE 10000000

/* What readers keep what they look at by. */
enum persons_protection { PERSONS_RCU, PERSONS_RWLOCK, PERSONS_SPINLOCK };

/* How a replaced person is freed. */
enum persons_way { PERSONS_SYNCHRONIZE, PERSONS_CALL, PERSONS_KFREE, PERSONS_WAYS };

struct persons_person {
	shim_u32 num, age, iq, money;
};

struct persons_outcome {
	shim_u32 any; /* 0: nobody took part, or the walk was given up */
	struct persons_person winner;
	shim_u64 persons; /* looked at */
	shim_u64 skipped; /* of them without a divisor: not taking part */
};

enum persons_setting {
	PERSONS_WAY, /* enum persons_way */
	PERSONS_PROTECTION, /* enum persons_protection */
	PERSONS_BACKLOG_MAX, /* objects; writers wait when more are waiting */
};

struct persons_counts {
	shim_u64 updates[PERSONS_WAYS];
	shim_u64 waiting; /* replaced, and a reader might still be there */
	shim_u64 throttled; /* a writer waited for the backlog */
	shim_u64 replacing_mean_ns; /* an update without reclaiming */
};

void persons_init(void) SHIM_NOEXCEPT;
/* @size: 1 to PERSONS_MAX_SIZE. -ENOMEM: nothing was changed. */
int persons_resize(shim_u64 size) SHIM_NOEXCEPT;
shim_u64 persons_get(enum persons_setting what) SHIM_NOEXCEPT;
void persons_set(enum persons_setting what, shim_u64 value) SHIM_NOEXCEPT;
/* No writer is at work. On return nobody is left and what was waiting has been freed. */
void persons_clear(void) SHIM_NOEXCEPT;
/* @stopping: given up when that becomes 1. */
void persons_scan(enum persons_contest what, const shim_u32 *stopping,
		  struct persons_outcome *out) SHIM_NOEXCEPT;
/* There is one person at least. -ENOMEM: nobody was replaced. */
int persons_update(void) SHIM_NOEXCEPT;
/* 0, or -ENOENT: there are no more. Any context but NMI. */
int persons_look(shim_u64 num, struct persons_person *out) SHIM_NOEXCEPT;
void persons_count(struct persons_counts *out) SHIM_NOEXCEPT;
void persons_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;
void persons_grace_periods(enum persons_way way, struct demo_durations *out) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_PERSONS_H */
