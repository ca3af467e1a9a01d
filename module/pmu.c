// SPDX-License-Identifier: GPL-2.0-only
/* The perf PMU nmi_timer: perf record -e nmi_timer// */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/perf_event.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "nmiprof_core.h"
#include "shim/cpu.h"
#include "shim/log.h"
#include "shim/perf.h"

/* attr.config */
#define IRQS_OFF BIT_ULL(0)

static struct pmu nmi_timer_pmu;

static struct nmiprof_event *core_event(const struct perf_event *event)
{
	return event->pmu_private;
}

static u32 flags_of(const struct perf_event_attr *attr)
{
	return (attr->exclude_user ? NMIPROF_EVENT_NO_USER : 0) |
	       (attr->exclude_kernel ? NMIPROF_EVENT_NO_KERNEL : 0) |
	       (attr->exclude_idle ? NMIPROF_EVENT_NO_IDLE : 0) |
	       (attr->config & IRQS_OFF ? NMIPROF_EVENT_IRQS_OFF : 0);
}

/* An event that only counts does so at the rate of the settings. */
static shim_u64 counting_period(void)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	return NSEC_PER_SEC / s.rate_hz;
}

/*
 * When the last event was opened: kernel.perf_event_max_sample_rate (until then the kernel's
 * default), counting_period().
 */
static shim_u64 max_rate = 100000, user_period;

/* perf itself holds -F to the limit, but not -c. */
static int check_rate(shim_u64 period_ns)
{
	const shim_u64 max = READ_ONCE(max_rate);

	if (period_ns >= NSEC_PER_SEC / max)
		return 0;
	shim_log_refused("perf: period of %lu ns: kernel.perf_event_max_sample_rate is %lu",
			 period_ns, max);
	return -EINVAL;
}

/* Each event makes the timers of all CPUs run that fast. */
static bool too_fast_for_user(shim_u64 period_ns, shim_u64 slow)
{
	return period_ns < slow && !perfmon_capable();
}

static int check_user(shim_u64 period_ns, shim_u64 slow)
{
	if (!too_fast_for_user(period_ns, slow))
		return 0;
	shim_log_refused("perf: period of %lu ns: without CAP_PERFMON at least %lu", period_ns,
			 slow);
	return -EACCES;
}

/*
 * The timers follow what was opened, closed and changed in a work item: perf calls for
 * some of that with locks held that CPU hotplug takes, too.
 */
static void take_changes(struct work_struct *work)
{
	shim_cpus_lock();
	nmiprof_core_event_changes();
	shim_cpus_unlock();
}

static DECLARE_WORK(changes_work, take_changes);

/* A copy that fork() makes of a parent's event: perf's locks are held. */
static int inherit(struct perf_event *event, struct nmiprof_event **opened)
{
	return nmiprof_core_event_inherit(core_event(event->parent), event,
					  flags_of(&event->attr), opened);
}

static int open(struct perf_event *event, struct nmiprof_event **opened)
{
	struct perf_event_attr *attr = &event->attr;
	struct hw_perf_event *hw = &event->hw;
	const shim_u64 slow = counting_period();
	shim_u64 period_ns, max;
	int err;

	if (!is_sampling_event(event))
		period_ns = slow;
	else if (attr->freq)
		period_ns = NSEC_PER_SEC / attr->sample_freq;
	else
		period_ns = attr->sample_period;
	if (attr->freq && too_fast_for_user(period_ns, slow))
		period_ns = slow;
	err = check_user(period_ns, slow);
	if (err)
		return err;
	WRITE_ONCE(user_period, slow);
	/* Whoever cannot read it is held to what the one before could. */
	max = shim_perf_max_sample_rate();
	if (max)
		WRITE_ONCE(max_rate, max);
	err = is_sampling_event(event) ? check_rate(period_ns) : 0;
	err = err ?: nmiprof_core_event_open(event, period_ns, flags_of(attr), opened);
	if (err)
		return err;
	schedule_work(&changes_work);
	/* A fixed period from here on, as for cpu-clock: perf adjusts nothing. */
	if (is_sampling_event(event) && attr->freq) {
		attr->freq = 0;
		attr->sample_period = period_ns;
		hw->sample_period = period_ns;
		hw->last_period = period_ns;
		local64_set(&hw->period_left, period_ns);
	}
	return 0;
}

static void event_destroy(struct perf_event *event)
{
	nmiprof_core_event_close(core_event(event));
	if (!event->parent)
		schedule_work(&changes_work);
}

static int event_init(struct perf_event *event)
{
	struct perf_event_attr *attr = &event->attr;
	struct nmiprof_event *opened;
	int err;

	if (attr->type != nmi_timer_pmu.type)
		return -ENOENT;
	if (attr->config & ~IRQS_OFF || attr->config1 || attr->config2)
		return -EINVAL;
	if (attr->precise_ip || attr->sigtrap || has_branch_stack(event) || has_aux(event))
		return -EOPNOTSUPP;
	/* Each sample would read the counts of others' PMUs, which take locks, from the NMI. */
	if (is_sampling_event(event) && (attr->sample_type & PERF_SAMPLE_READ) &&
	    (attr->read_format & PERF_FORMAT_GROUP))
		return -EOPNOTSUPP;
	err = shim_perf_check_newer(attr) ?:
	      (event->parent ? inherit(event, &opened) : open(event, &opened));
	if (err)
		return err;
	event->pmu_private = opened;
	event->destroy = event_destroy;
	return 0;
}

static int event_check_period(struct perf_event *event, u64 period_ns)
{
	int err = check_rate(period_ns) ?: check_user(period_ns, READ_ONCE(user_period)) ?:
		  nmiprof_core_event_period(core_event(event), period_ns);

	if (!err)
		schedule_work(&changes_work);
	return err;
}

/* The following: on the CPU, interrupts off, the event's context locked. */

static void event_start(struct perf_event *event, int flags)
{
	if (!event->hw.state)
		return;
	event->hw.state = 0;
	nmiprof_core_event_start(core_event(event), smp_processor_id());
}

static void event_stop(struct perf_event *event, int flags)
{
	if (event->hw.state)
		return;
	nmiprof_core_event_stop(core_event(event), smp_processor_id());
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

static int event_add(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		event_start(event, flags);
	perf_event_update_userpage(event);
	return 0;
}

static void event_del(struct perf_event *event, int flags)
{
	event_stop(event, flags);
}

/* The count is always right. */
static void event_read(struct perf_event *event)
{
}

PMU_FORMAT_ATTR(irqs_off, "config:0");

static struct attribute *format_attrs[] = { &format_attr_irqs_off.attr, NULL };
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };

PMU_EVENT_ATTR_STRING(tick, tick_attr, "irqs_off=0");
/* lint: SPACING: a name, as perf's users write it */
PMU_EVENT_ATTR_STRING(irqs-off, irqs_off_attr, "irqs_off=1");

static struct attribute *event_attrs[] = { &tick_attr.attr.attr, &irqs_off_attr.attr.attr, NULL };
static const struct attribute_group events_group = { .name = "events", .attrs = event_attrs };

static ssize_t max_precise_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0\n");
}
static DEVICE_ATTR_RO(max_precise);

static struct attribute *caps_attrs[] = { &dev_attr_max_precise.attr, NULL };
static const struct attribute_group caps_group = { .name = "caps", .attrs = caps_attrs };

/*
 * No "cpumask": a PMU with that is system-wide only for perf, as uncore ones are. And no
 * "cpus": that makes it one of the kinds of core of a heterogeneous machine.
 */
static const struct attribute_group *groups[] = {
	&format_group, &events_group, &caps_group, NULL,
};

static struct pmu nmi_timer_pmu = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_sw_context,
	.attr_groups = groups,
	.event_init = event_init,
	.check_period = event_check_period,
	.add = event_add,
	.del = event_del,
	.start = event_start,
	.stop = event_stop,
	.read = event_read,
};

int nmiprof_pmu_add(void)
{
	return perf_pmu_register(&nmi_timer_pmu, "nmi_timer", -1);
}

/* No event exists any more: each holds the module. */
void nmiprof_pmu_remove(void)
{
	perf_pmu_unregister(&nmi_timer_pmu);
	/* Those that were closed last. */
	flush_work(&changes_work);
}
