// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading, and what other modules may call (nmiprof.h). */
#include <linux/irqflags.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/smp.h>

#include "internal.h"
#include "nmiprof.h"
#include "nmiprof_core.h"
#include "shim/cpu.h"
#include "shim/fault.h"
#include "shim/timer.h"

static unsigned int memory_per_cpu_mib = 8;
module_param(memory_per_cpu_mib, uint, 0444);
MODULE_PARM_DESC(memory_per_cpu_mib, "Limit on buffer memory per sampled CPU, MiB (default 8)");

static unsigned int memory_mib = 256;
module_param(memory_mib, uint, 0444);
MODULE_PARM_DESC(memory_mib, "Limit on buffer memory in all, MiB (default 256)");

static bool enable;
module_param(enable, bool, 0444);
MODULE_PARM_DESC(enable, "Start sampling at once (default N)");

static struct kobject *root;

int nmiprof_register(const char *name, nmiprof_handler_fn fn, void *context)
{
	return nmiprof_core_handler_add(name, fn, context);
}
EXPORT_SYMBOL_GPL(nmiprof_register);

int nmiprof_replace(int number, nmiprof_handler_fn fn, void *context)
{
	return nmiprof_core_handler_replace(number, fn, context);
}
EXPORT_SYMBOL_GPL(nmiprof_replace);

int nmiprof_unregister(int number)
{
	return nmiprof_core_handler_remove(number);
}
EXPORT_SYMBOL_GPL(nmiprof_unregister);

int nmiprof_sample(unsigned int cpu)
{
	unsigned long flags;
	int err;

	if (cpu >= shim_nr_cpu_ids())
		return -ENODEV;
	local_irq_save(flags);
	err = nmiprof_core_request(smp_processor_id(), cpu);
	local_irq_restore(flags);
	return err;
}
EXPORT_SYMBOL_GPL(nmiprof_sample);

static int start_if_asked(void)
{
	int err;

	if (!enable)
		return 0;
	shim_cpus_lock();
	err = nmiprof_core_enable();
	shim_cpus_unlock();
	return err;
}

static void stop(void)
{
	shim_cpus_lock();
	nmiprof_core_disable();
	shim_cpus_unlock();
}

/*
 * In order: state, NMI handlers (before anybody can send), CPU events, then what a
 * user can reach. Unloading goes the other way round.
 */
static int __init nmiprof_init(void)
{
	int err;

	err = nmiprof_core_init((u64)memory_per_cpu_mib << 20, (u64)memory_mib << 20);
	if (err)
		return err;
	err = nmiprof_settings_from_parameters();
	if (err)
		goto core;
	err = shim_nmi_register();
	if (err)
		goto core;
	err = nmiprof_system_add();
	if (err)
		goto nmi;
	root = kobject_create_and_add("nmiprof", kernel_kobj);
	err = -ENOMEM;
	if (!root)
		goto system;
	err = nmiprof_stats_add(root);
	if (err)
		goto kobject;
	err = start_if_asked();
	if (err)
		goto stats;
	err = nmiprof_settings_add(root);
	if (err)
		goto sampling;
	err = nmiprof_trace_sample_add();
	if (err)
		goto settings;
	/* Nothing that can fail after it: from here on there may be events, which need us. */
	err = nmiprof_pmu_add();
	if (err)
		goto trace;
	nmiprof_dumps_add();
	return 0;

trace:
	nmiprof_trace_sample_remove();
settings:
	nmiprof_settings_remove(root);
sampling:
	stop();
stats:
	nmiprof_stats_remove();
kobject:
	kobject_put(root);
system:
	nmiprof_system_remove();
	shim_timer_flush(); /* as when unloading */
nmi:
	shim_nmi_unregister();
core:
	nmiprof_core_exit();
	return err;
}

static void __exit nmiprof_exit(void)
{
	nmiprof_dumps_remove();
	nmiprof_pmu_remove();
	nmiprof_trace_sample_remove();
	nmiprof_settings_remove(root);
	nmiprof_stats_remove();
	kobject_put(root);
	if (shim_fault_planted(unload_no_wait))
		shim_nmi_unregister();
	stop();
	nmiprof_system_remove();
	/* A start asked for before stop() may still be on its way to a CPU. */
	shim_timer_flush();
	if (!shim_fault_planted(unload_no_wait))
		shim_nmi_unregister();
	nmiprof_core_exit();
	shim_fault_free_held();
}

module_init(nmiprof_init);
module_exit(nmiprof_exit);

MODULE_DESCRIPTION("Sampling profiler by NMI, without a PMU");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
