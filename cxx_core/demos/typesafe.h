/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects in type-safe memory (slot_table.hpp) as module/demos/ sees them: builtin integers, 0
 * or -errno. Process context that may sleep.
 */
#ifndef DEMOS_TYPESAFE_H
#define DEMOS_TYPESAFE_H

#include "shim/types.h"

SHIM_BEGIN

#define TYPESAFE_MAX_SLOTS 256

enum typesafe_way { TYPESAFE_TYPESAFE, TYPESAFE_RCU, TYPESAFE_GLOBAL_LOCK };

enum typesafe_setting {
	TYPESAFE_WAY, /* enum typesafe_way */
	TYPESAFE_SLOTS, /* in use, 1 to TYPESAFE_MAX_SLOTS */
	TYPESAFE_BACKLOG_MAX, /* objects; writers wait when more are waiting */
};

struct typesafe_reads {
	shim_u64 done;
	shim_u64 retries; /* the object that was found and locked was not the slot's any more */
	shim_u64 reused; /* of them: a living one, the memory was in use again */
};

struct typesafe_counts {
	shim_u64 waiting; /* handed to kfree_rcu(), and a reader might still be there */
	shim_u64 throttled; /* a writer waited for the backlog */
	struct typesafe_reads reads;
	shim_u64 replaces;
	shim_u64 seen_dead, torn, wrong_slot; /* stay 0 */
};

void typesafe_init(void) SHIM_NOEXCEPT;
/* All slots get an object. -ENOMEM: there are none. */
int typesafe_fill(void) SHIM_NOEXCEPT;
/* No reader and no writer is at work. On return what was waiting may be freed. */
void typesafe_clear(void) SHIM_NOEXCEPT;
shim_u64 typesafe_get(enum typesafe_setting what) SHIM_NOEXCEPT;
void typesafe_set(enum typesafe_setting what, shim_u64 value) SHIM_NOEXCEPT;
/* So many slots are looked into, random ones. @done: what came of that. */
void typesafe_read(shim_u64 times, struct typesafe_reads *done) SHIM_NOEXCEPT;
/* So many are replaced, random ones. How many were: fewer when there was no memory. */
shim_u64 typesafe_replace(shim_u64 times) SHIM_NOEXCEPT;
void typesafe_count(struct typesafe_counts *out) SHIM_NOEXCEPT;
void typesafe_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_TYPESAFE_H */
