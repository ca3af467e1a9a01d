// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rcupdate.h>

#include "shim/reclaim.h"
#include "check.h"

static_assert(sizeof(struct shim_rcu_head) == sizeof(struct rcu_head));

/* kfree_rcu() wants to be told the object's type and where in it the head is. */
struct object {
	struct rcu_head head;
};

void shim_call_rcu(struct shim_rcu_head *head, void (*done)(struct shim_rcu_head *head))
{
	/* A struct rcu_head by another name: the function gets back what it was given. */
	call_rcu((struct rcu_head *)head, (rcu_callback_t)done);
}

void shim_kfree_rcu(struct shim_rcu_head *head)
{
	struct object *object = (struct object *)head;

	kfree_rcu(object, head);
}

void shim_rcu_barrier(void)
{
	shim_check(may_sleep);
	rcu_barrier();
}

void shim_synchronize_rcu_expedited(void)
{
	shim_check(may_sleep);
	synchronize_rcu_expedited();
}

shim_u64 shim_rcu_poll_start(void)
{
	return start_poll_synchronize_rcu();
}

int shim_rcu_poll(shim_u64 grace_period)
{
	return poll_state_synchronize_rcu(grace_period);
}

void shim_rcu_poll_wait(shim_u64 grace_period)
{
	shim_check(may_sleep);
	cond_synchronize_rcu(grace_period);
}
