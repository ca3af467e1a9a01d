// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/rcu_demo/persons: the people themselves, and how long grace periods took.
 * Persons are looked up one by one by number: the list may change between two lines, and a
 * number that is replaced is listed once.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "demos/persons.h"
#include "experiment.h"

static void *persons_start(struct seq_file *file, loff_t *pos)
{
	struct persons_person *person = file->private;

	if (persons_look(*pos, person))
		return NULL;
	if (!*pos)
		seq_puts(file, "# num age iq money\n");
	return person;
}

static void *persons_next(struct seq_file *file, void *v, loff_t *pos)
{
	++*pos;
	return persons_look(*pos, v) ? NULL : v;
}

static void persons_stop(struct seq_file *file, void *v)
{
}

static int persons_show(struct seq_file *file, void *v)
{
	const struct persons_person *person = v;

	seq_printf(file, "%u %u %u %u\n", person->num, person->age, person->iq, person->money);
	return 0;
}

static const struct seq_operations persons_sops = {
	.start = persons_start,
	.next = persons_next,
	.stop = persons_stop,
	.show = persons_show,
};

static int persons_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &persons_sops, sizeof(struct persons_person));
}

static const struct file_operations persons_fops = {
	.owner = THIS_MODULE,
	.open = persons_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int grace_periods_show(struct seq_file *file, void *unused)
{
	static const char *const ways[PERSONS_WAYS] = {
		"synchronize_rcu", "call_rcu", "kfree_rcu",
	};
	struct demo_durations seen;
	int way;

	demo_durations_head(file);
	for (way = 0; way < PERSONS_WAYS; way++) {
		persons_grace_periods(way, &seen);
		demo_durations_dump(file, ways[way], &seen);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(grace_periods);

void persons_dump(struct dentry *folder)
{
	debugfs_create_file("persons", 0400, folder, NULL, &persons_fops);
	debugfs_create_file("grace_periods", 0400, folder, NULL, &grace_periods_fops);
}
