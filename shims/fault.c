// SPDX-License-Identifier: GPL-2.0-only
/* Module parameters of builds with planted faults. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/timex.h>

#include "shim/fault.h"
#include "fault.h"

enum nmiprof_fault nmiprof_planted;
EXPORT_SYMBOL_GPL(nmiprof_planted); /* test modules use the core's headers */

/* lint: COMPLEX_MACRO: an item of a list */
#define NAME(name) #name,
static const char *const names[] = { "none", NMIPROF_FAULT_LIST(NAME) };

static int set_fault(const char *value, const struct kernel_param *kp)
{
	int which = __sysfs_match_string(names, ARRAY_SIZE(names), value);

	if (which < 0) {
		pr_err("nmiprof: fault=%s: there is no such fault\n", value);
		return -EINVAL;
	}
	WRITE_ONCE(nmiprof_planted, which);
	return 0;
}

static int get_fault(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", names[nmiprof_planted]);
}

static const struct kernel_param_ops fault_ops = { .set = set_fault, .get = get_fault };
module_param_cb(fault, &fault_ops, NULL, 0444);
MODULE_PARM_DESC(fault, "Planted fault (shim/fault.h; default none)");

static uint pause_us;
module_param(pause_us, uint, 0644);
MODULE_PARM_DESC(pause_us, "Forced delays: how long, microseconds (default 0)");

static uint pause_every = 64;
module_param(pause_every, uint, 0644);
MODULE_PARM_DESC(pause_every, "Forced delays: one time in so many (default 64)");

uint shim_lose_every;
module_param_named(lose_every, shim_lose_every, uint, 0644);
MODULE_PARM_DESC(lose_every, "One in so many NMIs is not sent (default 0: none is lost)");

void shim_fault_pause(void)
{
	const uint us = READ_ONCE(pause_us), every = READ_ONCE(pause_every);

	if (us && every && (uint)get_cycles() / 16 % every == 0)
		udelay(us);
}

void shim_fault_gap(void)
{
	usleep_range(3000, 4000);
}
