/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The toy RCU (toy_rcu.hpp) as module/demos/ sees it: builtin integers, 0 or -errno. Process
 * context that may sleep.
 */
#ifndef DEMOS_TOY_RCU_H
#define DEMOS_TOY_RCU_H

#include "demos/durations.h"
#include "shim/types.h"

SHIM_BEGIN

#define TOY_RCU_MAX_SECTION_US 10000

/* How an updater waits for readers. */
enum toy_rcu_way { TOY_RCU_TOY, TOY_RCU_SYNCHRONIZE, TOY_RCU_EXPEDITED, TOY_RCU_WAYS };

enum toy_rcu_setting {
	TOY_RCU_WAY, /* enum toy_rcu_way */
	TOY_RCU_SECTION_US, /* how long a reader stays, 0 to TOY_RCU_MAX_SECTION_US */
};

struct toy_rcu_counts {
	shim_u64 reads;
	shim_u64 updates[TOY_RCU_WAYS];
	shim_u64 seen_freed; /* stays 0: an object was freed under a reader */
	shim_u64 cpus; /* visited by the toy in its latest wait */
};

void toy_rcu_init(void) SHIM_NOEXCEPT;
/* The first object is there. 0, -ENOMEM. */
int toy_rcu_begin(void) SHIM_NOEXCEPT;
/* Begun; no reader and no updater is at work. */
void toy_rcu_end(void) SHIM_NOEXCEPT;
shim_u64 toy_rcu_get(enum toy_rcu_setting what) SHIM_NOEXCEPT;
void toy_rcu_set(enum toy_rcu_setting what, shim_u64 value) SHIM_NOEXCEPT;
/* One read section. */
void toy_rcu_read(void) SHIM_NOEXCEPT;
/* -ENOMEM: nothing was replaced. The thread's affinity is as before. */
int toy_rcu_update(void) SHIM_NOEXCEPT;
void toy_rcu_count(struct toy_rcu_counts *out) SHIM_NOEXCEPT;
void toy_rcu_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;
void toy_rcu_waits(enum toy_rcu_way way, struct demo_durations *out) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_TOY_RCU_H */
