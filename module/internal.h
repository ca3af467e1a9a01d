/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of module/. All process context, called from init and exit. */
#ifndef NMIPROF_INTERNAL_H
#define NMIPROF_INTERNAL_H

struct kobject;

/*
 * settings.c: rate_hz, cpus, granularity, layout, source, as parameters and in sysfs; there
 * enable and perf_budget_percent as well
 */
int nmiprof_settings_from_parameters(void);
int nmiprof_settings_add(struct kobject *parent);
void nmiprof_settings_remove(struct kobject *parent);

/* stats.c: the ledger in sysfs */
int nmiprof_stats_add(struct kobject *parent);
void nmiprof_stats_remove(void);

/* dumps.c: profile, samples, drain, ledger, handlers in debugfs */
void nmiprof_dumps_add(void);
void nmiprof_dumps_remove(void);

/* pmu.c: perf's nmi_timer */
int nmiprof_pmu_add(void);
void nmiprof_pmu_remove(void);

/* trace_sample.c: the tracepoint nmiprof:nmi_sample */
int nmiprof_trace_sample_add(void);
void nmiprof_trace_sample_remove(void);

/* system.c: CPU hotplug, suspend, reboot, panic */
int nmiprof_system_add(void);
void nmiprof_system_remove(void);

#endif /* NMIPROF_INTERNAL_H */
