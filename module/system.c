// SPDX-License-Identifier: GPL-2.0-only
/* What happens to the machine: CPU hotplug, suspend, reboot, panic. */
#include <linux/cpuhotplug.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "internal.h"
#include "nmiprof_core.h"
#include "shim/cpu.h"

static int hotplug_state;

static int cpu_online_callback(unsigned int cpu)
{
	return nmiprof_core_cpu_online(cpu);
}

/* Runs on @cpu while it still takes interrupts and NMIs. */
static int cpu_offline_callback(unsigned int cpu)
{
	return nmiprof_core_cpu_offline(cpu);
}

static int pm_event(struct notifier_block *nb, unsigned long event, void *unused)
{
	shim_cpus_lock();
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		nmiprof_core_suspend();
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		nmiprof_core_resume();
		break;
	}
	shim_cpus_unlock();
	return NOTIFY_DONE;
}

static int reboot_event(struct notifier_block *nb, unsigned long event, void *unused)
{
	shim_cpus_lock();
	nmiprof_core_suspend();
	shim_cpus_unlock();
	return NOTIFY_DONE;
}

static int panic_event(struct notifier_block *nb, unsigned long event, void *unused)
{
	nmiprof_core_halt();
	return NOTIFY_DONE;
}

static struct notifier_block pm_notifier_block = { .notifier_call = pm_event };
static struct notifier_block reboot_notifier_block = { .notifier_call = reboot_event };
static struct notifier_block panic_notifier_block = { .notifier_call = panic_event };

int nmiprof_system_add(void)
{
	int err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "nmiprof:online",
					    cpu_online_callback, cpu_offline_callback);

	if (err < 0)
		return err;
	hotplug_state = err;
	err = register_pm_notifier(&pm_notifier_block);
	if (err)
		goto hotplug;
	err = register_reboot_notifier(&reboot_notifier_block);
	if (err)
		goto pm;
	atomic_notifier_chain_register(&panic_notifier_list, &panic_notifier_block);
	return 0;

pm:
	unregister_pm_notifier(&pm_notifier_block);
hotplug:
	cpuhp_remove_state_nocalls(hotplug_state);
	return err;
}

void nmiprof_system_remove(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier_block);
	unregister_reboot_notifier(&reboot_notifier_block);
	unregister_pm_notifier(&pm_notifier_block);
	cpuhp_remove_state_nocalls(hotplug_state);
}
