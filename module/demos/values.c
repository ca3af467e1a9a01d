// SPDX-License-Identifier: GPL-2.0-only
/* An experiment's directory in sysfs, its threads', and the files in them. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "experiment.h"
#include "parse.h"

#define MAX_INTERVAL_US (3600 * 1000000UL)

static ssize_t value_show(struct kobject *owner, struct attribute *attr, char *buf)
{
	const struct demo_value *file = container_of(attr, struct demo_value, attr);
	u64 value;
	int err = file->get(owner, file->what, &value);

	if (err)
		return err;
	if (file->names)
		return sysfs_emit(buf, "%s\n", file->names[value]);
	if (file->milli)
		return sysfs_emit(buf, "%llu.%03llu\n", value / 1000, value % 1000);
	return sysfs_emit(buf, "%llu\n", value);
}

int demo_check_range(const struct demo_value *file, u64 value)
{
	if (!file->most || (value >= file->least && value <= file->most))
		return 0;
	pr_err_ratelimited("refused: %s %llu: must be %llu to %llu\n", file->attr.name, value,
			   file->least, file->most);
	return -ERANGE;
}

static ssize_t value_store(struct kobject *owner, struct attribute *attr, const char *buf,
			   size_t count)
{
	const struct demo_value *file = container_of(attr, struct demo_value, attr);
	shim_u64 value;
	shim_u32 choice;
	int err;

	/* Root can make any file writable. */
	if (!file->set) {
		pr_err_ratelimited("refused: %s: cannot be set\n", attr->name);
		return -EIO;
	}
	err = nmiprof_check_text(attr->name, buf, count);
	if (!err && file->names) {
		err = nmiprof_parse_choice(attr->name, buf, file->names, &choice);
		value = err ? 0 : choice;
	} else if (!err) {
		err = nmiprof_parse_u64(attr->name, buf, &value);
	}
	if (!err)
		err = demo_check_range(file, value);
	if (!err)
		err = file->set(owner, file->what, value);
	return err ?: count;
}

static const struct sysfs_ops value_ops = { .show = value_show, .store = value_store };

/* Values of every thread */

enum { CPU, INTERVAL_US, TURNS, TURNS_PER_S, FAILED };

static int thread_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);

	spin_lock(&thread->lock);
	*value = what == CPU ? READ_ONCE(thread->cpu) :
		 what == INTERVAL_US ? READ_ONCE(thread->interval_us) :
		 what == TURNS ? thread->turns :
		 what == TURNS_PER_S ? thread->turns_per_ks : thread->failed;
	spin_unlock(&thread->lock);
	return 0;
}

static int thread_set(struct kobject *owner, unsigned int what, u64 value)
{
	struct demo_thread *thread = demo_thread_of(owner);
	struct demo_experiment *experiment = thread->experiment;

	if (what == CPU && (value >= nr_cpu_ids || !cpu_possible(value))) {
		pr_err_ratelimited("refused: cpu %llu: there is no such CPU\n", value);
		return -EINVAL;
	}
	if (what == CPU && !cpu_online(value)) {
		pr_err_ratelimited("refused: cpu %llu: offline\n", value);
		return -ENODEV;
	}
	/* Not mutex_lock(): who removes the directory waits for us, and holds it. */
	if (!mutex_trylock(&experiment->mutex))
		return restart_syscall();
	if (what == CPU)
		WRITE_ONCE(thread->cpu, value);
	else
		WRITE_ONCE(thread->interval_us, value);
	demo_thread_wake(thread);
	mutex_unlock(&experiment->mutex);
	return 0;
}

static struct demo_value thread_values[] = {
	DEMO_VALUE_RW(cpu, CPU, thread_get, thread_set),
	DEMO_VALUE_RW(interval_us, INTERVAL_US, thread_get, thread_set,
		      .most = MAX_INTERVAL_US),
	DEMO_VALUE_RO(turns, TURNS, thread_get),
	DEMO_VALUE_RO(turns_per_s, TURNS_PER_S, thread_get, .milli = true),
	DEMO_VALUE_RO(failed, FAILED, thread_get),
	{ }
};

/* Values of every experiment: the first is whether it runs, then one for each role. */

#define RUN 0

static struct demo_experiment *experiment_of(struct kobject *kobj)
{
	return container_of(kobj, struct demo_experiment, kobj);
}

static int experiment_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_experiment *experiment = experiment_of(owner);

	mutex_lock(&experiment->mutex);
	*value = what == RUN ? experiment->running :
			       demo_threads(experiment, experiment->roles[what - 1]);
	mutex_unlock(&experiment->mutex);
	return 0;
}

static int experiment_set(struct kobject *owner, unsigned int what, u64 value)
{
	struct demo_experiment *experiment = experiment_of(owner);
	int err = 0;

	mutex_lock(&experiment->mutex);
	if (what != RUN)
		err = demo_set_threads(experiment, experiment->roles[what - 1], value);
	else if (value)
		err = demo_start(experiment);
	else
		demo_stop(experiment);
	mutex_unlock(&experiment->mutex);
	return err;
}

/* Values of those that have objects. */

enum { ALLOCATED, FREED };

static int objects_get(struct kobject *owner, unsigned int what, u64 *value)
{
	shim_u64 count[2];

	experiment_of(owner)->objects(&count[ALLOCATED], &count[FREED]);
	*value = count[what];
	return 0;
}

static struct demo_value objects_values[] = {
	DEMO_VALUE_RO(allocated, ALLOCATED, objects_get),
	DEMO_VALUE_RO(freed, FREED, objects_get),
	{ }
};

static int add_files(struct kobject *kobj, struct demo_value *values)
{
	int err = 0;

	for (; values && values->attr.name && !err; values++)
		err = sysfs_create_file(kobj, &values->attr);
	return err;
}

static void thread_release(struct kobject *kobj)
{
	kfree(demo_thread_of(kobj));
}

static const struct kobj_type thread_type = {
	.release = thread_release,
	.sysfs_ops = &value_ops,
};

/* Whatever it returns, kobject_put() is what frees the thread from here on. */
int demo_thread_add(struct demo_thread *thread)
{
	int err = kobject_init_and_add(&thread->kobj, &thread_type, &thread->experiment->kobj,
				       "%s%u", thread->role->name, thread->nr);

	if (!err)
		err = add_files(&thread->kobj, thread_values);
	if (!err)
		err = add_files(&thread->kobj, thread->role->values);
	return err;
}

/* Experiments are in a table: nothing is to be freed. */
static void experiment_release(struct kobject *kobj)
{
}

static const struct kobj_type experiment_type = {
	.release = experiment_release,
	.sysfs_ops = &value_ops,
};

int demo_add(struct demo_experiment *experiment, struct kobject *root)
{
	unsigned int i;
	int err;

	mutex_init(&experiment->mutex);
	INIT_LIST_HEAD(&experiment->threads);
	experiment->files[RUN] = (struct demo_value)
		DEMO_VALUE_RW(run, RUN, experiment_get, experiment_set, .most = 1);
	err = kobject_init_and_add(&experiment->kobj, &experiment_type, root, "%s",
				   experiment->name);
	if (err) {
		/* There is no directory to take anything out of. */
		kobject_put(&experiment->kobj);
		return err;
	}
	err = sysfs_create_file(&experiment->kobj, &experiment->files[RUN].attr);
	if (!err)
		err = add_files(&experiment->kobj, experiment->values);
	if (!err && experiment->objects)
		err = add_files(&experiment->kobj, objects_values);
	mutex_lock(&experiment->mutex);
	for (i = 0; experiment->roles[i] && !err; i++) {
		struct demo_value *file = &experiment->files[1 + i];

		*file = (struct demo_value)
			DEMO_VALUE_RW(, 1 + i, experiment_get, experiment_set,
				      .most = experiment->roles[i]->most ?: DEMO_MAX_THREADS);
		file->attr.name = experiment->roles[i]->plural;
		sysfs_attr_init(&file->attr);
		err = sysfs_create_file(&experiment->kobj, &file->attr) ?:
		      demo_set_threads(experiment, experiment->roles[i],
				       experiment->roles[i]->count);
	}
	mutex_unlock(&experiment->mutex);
	if (err)
		demo_remove(experiment);
	return err;
}

void demo_remove(struct demo_experiment *experiment)
{
	unsigned int i;

	/* Nobody starts anything any more. */
	for (i = 0; i < ARRAY_SIZE(experiment->files); i++)
		if (experiment->files[i].attr.name)
			sysfs_remove_file(&experiment->kobj, &experiment->files[i].attr);
	mutex_lock(&experiment->mutex);
	demo_stop(experiment);
	for (i = 0; experiment->roles[i]; i++)
		demo_set_threads(experiment, experiment->roles[i], 0);
	mutex_unlock(&experiment->mutex);
	kobject_put(&experiment->kobj);
}
