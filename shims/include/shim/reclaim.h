/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways to reclaim after a grace period without waiting for it, for cxx_core/rcu.hpp. */
#ifndef SHIM_RECLAIM_H
#define SHIM_RECLAIM_H

#include "shim/types.h"

SHIM_BEGIN

/* struct rcu_head: what the first bytes of an object are that is reclaimed so. */
struct shim_rcu_head {
	void *opaque[2];
};

/*
 * call_rcu(): @done(@head) once a grace period has passed, in softirq or in a thread of
 * RCU's; must not sleep. Any context but NMI; never waits.
 */
void shim_call_rcu(struct shim_rcu_head *head,
		   void (*done)(struct shim_rcu_head *head)) SHIM_NOEXCEPT;

/*
 * kfree_rcu(): frees an object of shim_object_alloc() that begins with @head once a grace
 * period has passed. Any context but NMI; never waits.
 */
void shim_kfree_rcu(struct shim_rcu_head *head) SHIM_NOEXCEPT;

/* rcu_barrier(): all callbacks that were handed over have run. Process context, sleeps. */
void shim_rcu_barrier(void) SHIM_NOEXCEPT;

/* synchronize_rcu_expedited(): interrupts other CPUs to be quick. Process context, sleeps. */
void shim_synchronize_rcu_expedited(void) SHIM_NOEXCEPT;

/*
 * start_poll_synchronize_rcu(): a name for the grace period that begins no later than now;
 * poll: is it over; wait: sleeps until it is.
 */
shim_u64 shim_rcu_poll_start(void) SHIM_NOEXCEPT;
int shim_rcu_poll(shim_u64 grace_period) SHIM_NOEXCEPT;
void shim_rcu_poll_wait(shim_u64 grace_period) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_RECLAIM_H */
