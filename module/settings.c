// SPDX-License-Identifier: GPL-2.0-only
/* What a user can set: module parameters, and /sys/kernel/nmiprof. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"
#include "nmiprof_core.h"
#include "parse.h"
#include "shim/cpu.h"

static const char *const layouts[] = { "percpu", "shared", NULL };
static const char *const sources[] = { "timer", "pmu", NULL };

static ulong rate_hz;
module_param(rate_hz, ulong, 0);
MODULE_PARM_DESC(rate_hz, "Samples per second and CPU, 1 to 100000 (default 997)");

static char *cpus;
module_param(cpus, charp, 0);
MODULE_PARM_DESC(cpus, "CPUs to sample, a list such as 0-3,8, or all (default all)");

static ulong granularity;
module_param(granularity, ulong, 0);
MODULE_PARM_DESC(granularity, "Bytes of kernel text per counter, a power of two, 4 to 65536; 0: the finest that fits (default 0)");

static char *layout;
module_param(layout, charp, 0);
MODULE_PARM_DESC(layout, "percpu: each CPU has its own counters; shared: atomic counters for all (default percpu)");

static char *source;
module_param(source, charp, 0);
MODULE_PARM_DESC(source, "timer: NMIs are sent by timers; pmu: a hardware counter overflows (default timer)");

/* CPUs held: nothing changes between the check of a CPU list and its use. */
static int configure(const struct nmiprof_settings *s, unsigned int fields)
{
	int err;

	shim_cpus_lock();
	err = nmiprof_core_configure(s, fields);
	shim_cpus_unlock();
	return err;
}

static int parse_enable(const char *text, unsigned int *on)
{
	int err = kstrtouint(text, 10, on);

	if (!err && *on > 1)
		err = -EINVAL;
	if (err)
		pr_err_ratelimited("refused: enable: must be 0 or 1\n");
	return err;
}

/* @mask: room for the list; @s then points to it. */
static int parse_cpus(const char *text, struct cpumask *mask, struct nmiprof_settings *s)
{
	int err;

	s->all_cpus = sysfs_streq(text, "all");
	s->cpus = cpumask_bits(mask);
	if (s->all_cpus)
		return 0;
	err = cpulist_parse(text, mask);
	if (err)
		pr_err_ratelimited("refused: cpus: not a list of CPUs\n");
	/* Out of range says more of the machine than of the text. */
	return err == -ERANGE || err == -EOVERFLOW ? -EINVAL : err;
}

int nmiprof_settings_from_parameters(void)
{
	struct nmiprof_settings s = { };
	unsigned int fields = 0;
	cpumask_var_t mask;
	int err = 0;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (rate_hz) {
		s.rate_hz = rate_hz;
		fields |= NMIPROF_RATE_HZ;
	}
	if (granularity) {
		s.granularity = granularity;
		fields |= NMIPROF_GRANULARITY;
	}
	if (layout) {
		err = nmiprof_parse_choice("layout", layout, layouts, &s.shared_layout);
		fields |= NMIPROF_LAYOUT;
	}
	if (source && !err) {
		err = nmiprof_parse_choice("source", source, sources, &s.from_pmu);
		fields |= NMIPROF_SOURCE;
	}
	if (cpus && !err) {
		err = parse_cpus(cpus, mask, &s);
		fields |= NMIPROF_CPUS;
	}
	if (!err && fields)
		err = configure(&s, fields);
	free_cpumask_var(mask);
	return err;
}

static ssize_t enable_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", nmiprof_core_enabled());
}

static ssize_t enable_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	unsigned int on;
	int err = nmiprof_check_text("enable", buf, count) ?: parse_enable(buf, &on);

	if (err)
		return err;
	shim_cpus_lock();
	if (on)
		err = nmiprof_core_enable();
	else
		nmiprof_core_disable();
	shim_cpus_unlock();
	return err ?: count;
}

static ssize_t rate_hz_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	return sysfs_emit(buf, "%lu\n", s.rate_hz);
}

static ssize_t rate_hz_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	struct nmiprof_settings s;

	return nmiprof_check_text("rate_hz", buf, count) ?:
	       nmiprof_parse_u64("rate_hz", buf, &s.rate_hz) ?:
	       configure(&s, NMIPROF_RATE_HZ) ?: count;
}

static ssize_t granularity_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	return sysfs_emit(buf, "%lu\n", s.granularity);
}

static ssize_t granularity_store(struct kobject *kobj, struct kobj_attribute *attr,
				 const char *buf, size_t count)
{
	struct nmiprof_settings s;

	return nmiprof_check_text("granularity", buf, count) ?:
	       nmiprof_parse_u64("granularity", buf, &s.granularity) ?:
	       configure(&s, NMIPROF_GRANULARITY) ?: count;
}

static ssize_t layout_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	return sysfs_emit(buf, "%s\n", layouts[s.shared_layout]);
}

static ssize_t layout_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	struct nmiprof_settings s;

	return nmiprof_check_text("layout", buf, count) ?:
	       nmiprof_parse_choice("layout", buf, layouts, &s.shared_layout) ?:
	       configure(&s, NMIPROF_LAYOUT) ?: count;
}

static ssize_t cpus_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	if (s.all_cpus)
		return sysfs_emit(buf, "all\n");
	return sysfs_emit(buf, "%*pbl\n", nr_cpu_ids, s.cpus);
}

static ssize_t cpus_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			  size_t count)
{
	struct nmiprof_settings s;
	cpumask_var_t mask;
	int err;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	err = nmiprof_check_text("cpus", buf, count) ?: parse_cpus(buf, mask, &s) ?:
	      configure(&s, NMIPROF_CPUS);
	free_cpumask_var(mask);
	return err ?: count;
}

static ssize_t source_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	return sysfs_emit(buf, "%s\n", sources[s.from_pmu]);
}

static ssize_t source_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			    size_t count)
{
	struct nmiprof_settings s;

	return nmiprof_check_text("source", buf, count) ?:
	       nmiprof_parse_choice("source", buf, sources, &s.from_pmu) ?:
	       configure(&s, NMIPROF_SOURCE) ?: count;
}

/* Not in nmiprof_settings: it takes effect by itself. */
static ssize_t perf_budget_percent_show(struct kobject *kobj, struct kobj_attribute *attr,
					char *buf)
{
	return sysfs_emit(buf, "%u\n", nmiprof_core_perf_budget());
}

static ssize_t perf_budget_percent_store(struct kobject *kobj, struct kobj_attribute *attr,
					 const char *buf, size_t count)
{
	shim_u64 percent;
	int err = nmiprof_check_text("perf_budget_percent", buf, count) ?:
		  nmiprof_parse_u64("perf_budget_percent", buf, &percent);

	if (err)
		return err;
	if (percent > 100) {
		pr_err_ratelimited("refused: perf_budget_percent %lu: must be 0 to 100\n", percent);
		return -ERANGE;
	}
	nmiprof_core_set_perf_budget(percent);
	return count;
}

static struct kobj_attribute enable_attr = __ATTR_RW_MODE(enable, 0644);
static struct kobj_attribute rate_hz_attr = __ATTR_RW_MODE(rate_hz, 0644);
static struct kobj_attribute granularity_attr = __ATTR_RW_MODE(granularity, 0644);
static struct kobj_attribute layout_attr = __ATTR_RW_MODE(layout, 0644);
static struct kobj_attribute cpus_attr = __ATTR_RW_MODE(cpus, 0644);
static struct kobj_attribute source_attr = __ATTR_RW_MODE(source, 0644);

static struct kobj_attribute perf_budget_percent_attr = __ATTR_RW_MODE(perf_budget_percent, 0644);

static struct attribute *settings_attrs[] = {
	&enable_attr.attr,
	&rate_hz_attr.attr,
	&granularity_attr.attr,
	&layout_attr.attr,
	&cpus_attr.attr,
	&source_attr.attr,
	&perf_budget_percent_attr.attr,
	NULL,
};

static const struct attribute_group settings_group = { .attrs = settings_attrs };

int nmiprof_settings_add(struct kobject *parent)
{
	return sysfs_create_group(parent, &settings_group);
}

void nmiprof_settings_remove(struct kobject *parent)
{
	sysfs_remove_group(parent, &settings_group);
}
