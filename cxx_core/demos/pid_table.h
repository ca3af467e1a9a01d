/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PID table (pid_table.hpp) as module/demos/ sees it: builtin integers, 0 or -errno.
 * Process context that may sleep.
 */
#ifndef DEMOS_PID_TABLE_H
#define DEMOS_PID_TABLE_H

#include "shim/types.h"

SHIM_BEGIN

#define PID_TABLE_MAX_PIDS 32768

/* What readers keep what they look at by. */
enum pid_table_way { PID_TABLE_RCU, PID_TABLE_RWLOCK, PID_TABLE_SPINLOCK };

/* When the table's reference to what was removed is put. */
enum pid_table_put { PID_TABLE_AFTER_GRACE_PERIOD, PID_TABLE_AT_ONCE };

enum pid_table_setting {
	PID_TABLE_WAY, /* enum pid_table_way */
	PID_TABLE_PUT, /* enum pid_table_put */
	PID_TABLE_PIDS, /* 1 to PID_TABLE_MAX_PIDS */
	PID_TABLE_BATCH, /* lookups in a turn of a reader, 1 to 2^32 - 1 */
	PID_TABLE_USE_US, /* how long an entry is used */
	PID_TABLE_BACKLOG_MAX, /* objects; writers wait when more are waiting */
};

struct pid_table_lookups {
	shim_u64 hits, misses;
	shim_u64 lost_races; /* found when the last reference had been put */
	shim_u64 seen_freed, wrong_pid; /* in use: must not be */
};

struct pid_table_counts {
	shim_u64 waiting; /* removed, and a reader might still be there */
	shim_u64 throttled; /* a writer waited for the backlog */
	struct pid_table_lookups lookups;
	shim_u64 inserts, removes; /* with those of starting and stopping */
	shim_u64 put_last_by_reader, put_last_by_callback, put_last_by_writer;
};

void pid_table_init(void) SHIM_NOEXCEPT;
/* -ENOMEM: nothing is in it. */
int pid_table_fill(void) SHIM_NOEXCEPT;
/* Nobody is at work. On return nothing is left and what was waiting has been freed. */
void pid_table_clear(void) SHIM_NOEXCEPT;
shim_u64 pid_table_get(enum pid_table_setting what) SHIM_NOEXCEPT;
void pid_table_set(enum pid_table_setting what, shim_u64 value) SHIM_NOEXCEPT;
/* A reader's turn. @stopping: given up when that becomes 1. */
void pid_table_look_up(const shim_u32 *stopping, struct pid_table_lookups *out) SHIM_NOEXCEPT;
/*
 * A writer's turn: a random pid is inserted (*@inserts: 1) or removed (0). -EEXIST, -ENOENT:
 * it is there already, or not there; -ENOMEM. Nothing was changed then.
 */
int pid_table_change(shim_u32 *inserts) SHIM_NOEXCEPT;
void pid_table_count(struct pid_table_counts *out) SHIM_NOEXCEPT;
void pid_table_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_PID_TABLE_H */
