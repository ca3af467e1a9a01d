// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/sched.h>

#include "shim/sched.h"
#include "check.h"

void shim_cond_resched(void)
{
	shim_check(may_sleep);
	cond_resched();
}

void shim_sleep_us(unsigned int us)
{
	shim_check(may_sleep);
	usleep_range(us, us + us / 4 + 1);
}
