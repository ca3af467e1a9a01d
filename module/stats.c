// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger in sysfs: nmiprof/stats/TERM for all CPUs, nmiprof/stats/cpuN/TERM for
 * each. Read while sampling, each value is right for its own moment; for a
 * consistent set there is the ledger file in debugfs.
 */
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"
#include "nmiprof_core.h"

#define ALL_CPUS (-1)

/* A directory: one CPU's terms, or the sums. */
struct stats_dir {
	struct kobject kobj;
	int cpu; /* or ALL_CPUS */
};

static struct kobj_attribute term_attrs[NMIPROF_MAX_TERMS];
static struct attribute *term_attr_list[NMIPROF_MAX_TERMS + 1];
static const struct attribute_group term_group = { .attrs = term_attr_list };

static struct stats_dir *total;
static struct stats_dir **per_cpu_dirs;

static ssize_t term_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	const struct stats_dir *dir = container_of(kobj, struct stats_dir, kobj);
	const unsigned int term = attr - term_attrs;
	shim_u64 terms[NMIPROF_MAX_TERMS], sum = 0;
	unsigned int cpu;
	int err;

	for_each_possible_cpu(cpu) {
		if (dir->cpu != ALL_CPUS && cpu != dir->cpu)
			continue;
		err = nmiprof_core_ledger(cpu, terms);
		if (err)
			return err;
		sum += terms[term];
	}
	return sysfs_emit(buf, "%lu\n", sum);
}

static ssize_t discarded_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", nmiprof_core_discarded());
}

static ssize_t buffer_bytes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", nmiprof_core_buffer_bytes());
}

static ssize_t buffer_granularity_show(struct kobject *kobj, struct kobj_attribute *attr,
				       char *buf)
{
	return sysfs_emit(buf, "%lu\n", nmiprof_core_buffer_granularity());
}

static struct kobj_attribute discarded_attr = __ATTR_RO(discarded);
static struct kobj_attribute buffer_bytes_attr = __ATTR_RO(buffer_bytes);
static struct kobj_attribute buffer_granularity_attr = __ATTR_RO(buffer_granularity);

static struct attribute *buffer_attrs[] = {
	&discarded_attr.attr,
	&buffer_bytes_attr.attr,
	&buffer_granularity_attr.attr,
	NULL,
};

static const struct attribute_group buffer_group = { .attrs = buffer_attrs };

static void dir_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct stats_dir, kobj));
}

static const struct kobj_type dir_type = {
	.release = dir_release,
	.sysfs_ops = &kobj_sysfs_ops,
};

static struct stats_dir *dir_create(struct kobject *parent, int cpu)
{
	struct stats_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err;

	if (!dir)
		return NULL;
	dir->cpu = cpu;
	if (cpu == ALL_CPUS)
		err = kobject_init_and_add(&dir->kobj, &dir_type, parent, "stats");
	else
		err = kobject_init_and_add(&dir->kobj, &dir_type, parent, "cpu%d", cpu);
	if (!err)
		err = sysfs_create_group(&dir->kobj, &term_group);
	if (err) {
		kobject_put(&dir->kobj);
		return NULL;
	}
	return dir;
}

int nmiprof_stats_add(struct kobject *parent)
{
	unsigned int term, cpu;

	for (term = 0; term < nmiprof_core_terms(); term++) {
		struct kobj_attribute *attr = &term_attrs[term];

		sysfs_attr_init(&attr->attr);
		attr->attr.name = nmiprof_core_term_name(term);
		attr->attr.mode = 0444;
		attr->show = term_show;
		term_attr_list[term] = &attr->attr;
	}
	total = dir_create(parent, ALL_CPUS);
	per_cpu_dirs = kcalloc(nr_cpu_ids, sizeof(*per_cpu_dirs), GFP_KERNEL);
	if (!total || !per_cpu_dirs || sysfs_create_group(&total->kobj, &buffer_group))
		goto fail;
	for_each_possible_cpu(cpu) {
		if (!cpu_present(cpu))
			continue;
		per_cpu_dirs[cpu] = dir_create(&total->kobj, cpu);
		if (!per_cpu_dirs[cpu])
			goto fail;
	}
	return 0;

fail:
	nmiprof_stats_remove();
	return -ENOMEM;
}

void nmiprof_stats_remove(void)
{
	unsigned int cpu;

	for (cpu = 0; per_cpu_dirs && cpu < nr_cpu_ids; cpu++)
		if (per_cpu_dirs[cpu])
			kobject_put(&per_cpu_dirs[cpu]->kobj);
	kfree(per_cpu_dirs);
	per_cpu_dirs = NULL;
	if (total)
		kobject_put(&total->kobj);
	total = NULL;
}
