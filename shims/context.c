// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "shim/context.h"
#include "check.h"

static DEFINE_MUTEX(update_mutex);

void shim_rcu_read_lock(void)
	__acquires(RCU)
{
	rcu_read_lock();
}

void shim_rcu_read_unlock(void)
	__releases(RCU)
{
	rcu_read_unlock();
}

void shim_rcu_read_lock_sched(void)
	__acquires(RCU_SCHED)
{
	rcu_read_lock_sched();
}

void shim_rcu_read_unlock_sched(void)
	__releases(RCU_SCHED)
{
	rcu_read_unlock_sched();
}

void shim_preempt_disable(void)
{
	preempt_disable();
}

void shim_preempt_enable(void)
{
	preempt_enable();
}

void shim_update_lock(void)
{
	shim_check(may_sleep);
	mutex_lock(&update_mutex);
}

void shim_update_unlock(void)
{
	mutex_unlock(&update_mutex);
}

#ifdef NMIPROF_DEBUG

void (*shim_context_wrong)(const char *what);

/* lint: MACRO_ARG_REUSE: @what is a string */
#define CHECK(ok, what)                                                        \
	do {                                                                   \
		void (*wrong)(const char *what_) = READ_ONCE(shim_context_wrong); \
									       \
		if (ok)                                                        \
			break;                                                 \
		if (wrong)                                                     \
			wrong(what);                                           \
		else                                                           \
			WARN_ONCE(1, "nmiprof: not %s\n", what);               \
	} while (0)

void shim_assert_in_nmi(void)
{
	CHECK(in_nmi(), "in an NMI");
}

void shim_assert_in_irq(void)
{
	CHECK(!in_nmi() && irqs_disabled(), "in an interrupt");
}

void shim_assert_may_sleep(void)
{
	/* Kernels that do not count know less. */
	CHECK((preemptible() || !IS_ENABLED(CONFIG_PREEMPT_COUNT)) && !rcu_preempt_depth() &&
	      !irqs_disabled() && !in_nmi(), "where sleeping is allowed");
}

#endif /* NMIPROF_DEBUG */
