// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>

#include "shim/context.h"

static DEFINE_MUTEX(update_mutex);

void shim_rcu_read_lock(void)
{
	rcu_read_lock();
}

void shim_rcu_read_unlock(void)
{
	rcu_read_unlock();
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
	mutex_lock(&update_mutex);
}

void shim_update_unlock(void)
{
	mutex_unlock(&update_mutex);
}

void shim_assert_in_nmi(void)
{
	WARN_ON_ONCE(!in_nmi());
}

void shim_assert_in_irq(void)
{
	WARN_ON_ONCE(in_nmi() || !irqs_disabled());
}

void shim_assert_may_sleep(void)
{
	might_sleep();
}
