// SPDX-License-Identifier: GPL-2.0-only
/* The table of experiments, loading and unloading. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>

#include "experiment.h"

static bool run = true;
module_param(run, bool, 0);
MODULE_PARM_DESC(run, "Start the first experiment, the person list, at once (default Y)");

static struct demo_experiment *const experiments[] = {
	&demo_persons,
	&demo_pid_table,
	&demo_ip_options,
	&demo_typesafe,
	&demo_buffer_ways,
	&demo_toy_rcu,
	&demo_read_side,
	&demo_grace_periods,
};

static struct kobject *root;
static struct dentry *dumps;

static void add_dumps(void)
{
	unsigned int i;

	dumps = debugfs_create_dir("rcu_demo", NULL);
	for (i = 0; i < ARRAY_SIZE(experiments); i++)
		if (experiments[i]->dump)
			experiments[i]->dump(debugfs_create_dir(experiments[i]->name, dumps));
}

static void say_whether_all_is_freed(const struct demo_experiment *experiment)
{
	shim_u64 allocated, freed;

	if (!experiment->objects)
		return;
	experiment->objects(&allocated, &freed);
	if (allocated != freed)
		pr_alert("!!! %s: %lu objects allocated, %lu freed\n", experiment->name,
			 allocated, freed);
	else if (allocated)
		pr_info("%s: %lu objects allocated, as many freed\n", experiment->name, freed);
}

static void remove_first(unsigned int count)
{
	unsigned int i;

	for (i = count; i--;)
		demo_remove(experiments[i]);
	/* Callbacks of call_rcu() are code of this module. */
	rcu_barrier();
	for (i = 0; i < count; i++) {
		if (experiments[i]->exit)
			experiments[i]->exit();
		say_whether_all_is_freed(experiments[i]);
	}
	kobject_put(root);
}

static int start_first(void)
{
	int err;

	mutex_lock(&experiments[0]->mutex);
	err = demo_start(experiments[0]);
	mutex_unlock(&experiments[0]->mutex);
	return err;
}

static int __init rcu_demo_init(void)
{
	unsigned int i;
	int err;

	root = kobject_create_and_add("rcu_demo", kernel_kobj);
	if (!root)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(experiments); i++) {
		if (experiments[i]->init)
			experiments[i]->init();
		err = demo_add(experiments[i], root);
		if (err) {
			/* Nothing of it has run. */
			if (experiments[i]->exit)
				experiments[i]->exit();
			goto remove;
		}
	}
	err = run ? start_first() : 0;
	if (err)
		goto remove;
	add_dumps();
	return 0;

remove:
	remove_first(i);
	return err;
}

static void __exit rcu_demo_exit(void)
{
	debugfs_remove(dumps);
	remove_first(ARRAY_SIZE(experiments));
}

module_init(rcu_demo_init);
module_exit(rcu_demo_exit);

MODULE_DESCRIPTION("RCU at work, beside what it replaces");
MODULE_LICENSE("GPL");
