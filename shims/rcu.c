// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rcupdate.h>

#include "shim/rcu.h"
#include "check.h"

void shim_rcu_assign_pointer(void **where, void *what)
{
	void __rcu **slot = (void __rcu **)where;

	rcu_assign_pointer(*slot, what);
}

void shim_synchronize_rcu(void)
{
	shim_check(may_sleep);
	synchronize_rcu();
}
