// SPDX-License-Identifier: GPL-2.0-only
/* Another module that uses nmiprof, for the unload suite to load and unload. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

#include "nmiprof.h"

static int number;
static struct task_struct *asking;

/* In this module's memory: an NMI that ran this after the unload would fault. */
static unsigned int handler(void *context, const struct nmiprof_nmi *nmi)
{
	/* lint: USLEEP_RANGE: an NMI handler cannot sleep */
	udelay(20);
	return 0;
}

static int ask(void *unused)
{
	unsigned int cpu;

	while (!kthread_should_stop()) {
		for_each_online_cpu(cpu)
			nmiprof_sample(cpu);
		usleep_range(50, 100);
	}
	return 0;
}

static int __init user_init(void)
{
	number = nmiprof_register("kt_user", handler, &number);
	if (number < 0)
		return number;
	asking = kthread_run(ask, NULL, "nmiprof_user");
	if (IS_ERR(asking)) {
		nmiprof_unregister(number);
		return PTR_ERR(asking);
	}
	return 0;
}

static void __exit user_exit(void)
{
	/* The last of its NMIs may still be on their way. */
	kthread_stop(asking);
	nmiprof_unregister(number);
}

module_init(user_init);
module_exit(user_exit);

MODULE_DESCRIPTION("nmiprof: KUnit, a module that uses it");
MODULE_LICENSE("GPL");
