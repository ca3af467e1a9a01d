// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps in debugfs, root only and read only (lockdown lets such files be read):
 *
 *	profile   readprofile(8)'s format: the live buffer, summed over CPUs
 *	samples   the live buffer as text, with interrupts-off counts
 *	drain     the same of all that was counted since the last drain, which it ends
 *	ledger    all terms of all CPUs, each CPU's of one moment
 *	handlers  the registry: each handler's counts on each CPU
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "nmiprof_core.h"

#define MAX_NAME 32

static struct dentry *dir;

/* Position 0 is the head, row N is at position N + 1. */
static void *samples_start(struct seq_file *m, loff_t *pos)
{
	struct nmiprof_report_info info;

	nmiprof_core_report_info(m->private, &info);
	return *pos <= info.bins + info.outside_rows ? pos : NULL;
}

static void *samples_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return samples_start(m, pos);
}

static void samples_stop(struct seq_file *m, void *v)
{
}

static void show_head(struct seq_file *m, const struct nmiprof_report_info *info)
{
	struct nmiprof_settings s;

	nmiprof_core_settings(&s);
	seq_puts(m, "# nmiprof samples 1\n");
	seq_printf(m, "text %lx %lx\n", info->text_start, info->text_end);
	seq_printf(m, "granularity %lu\n", info->granularity);
	seq_printf(m, "outside_granularity %lu\n", info->outside_granularity);
	seq_printf(m, "rate_hz %lu\n", s.rate_hz);
	seq_printf(m, "samples %lu\n", info->samples);
	seq_printf(m, "user %lu\n", info->user);
	seq_printf(m, "idle %lu\n", info->idle);
	seq_printf(m, "out_of_range %lu\n", info->out_of_range);
}

static int samples_show(struct seq_file *m, void *v)
{
	const loff_t pos = *(loff_t *)v;
	struct nmiprof_report_info info;
	struct nmiprof_row row;

	nmiprof_core_report_info(m->private, &info);
	if (!pos) {
		show_head(m, &info);
		return 0;
	}
	nmiprof_core_report_row(m->private, pos - 1, &row);
	if (!row.total)
		return SEQ_SKIP;
	seq_printf(m, "%s %lx %lu %lu\n", pos - 1 < info.bins ? "bin" : "out", row.address,
		   row.total, row.irqs_off);
	return 0;
}

static const struct seq_operations samples_ops = {
	.start = samples_start,
	.next = samples_next,
	.stop = samples_stop,
	.show = samples_show,
};

/* All that can fail comes before the report: a drain's samples are handed out. */
static int open_report(struct inode *inode, struct file *file, int drain)
{
	struct nmiprof_report *report;
	int err = seq_open(file, &samples_ops);

	if (err)
		return err;
	err = nmiprof_core_report(drain, &report);
	if (err) {
		seq_release(inode, file);
		return err;
	}
	((struct seq_file *)file->private_data)->private = report;
	return 0;
}

static int samples_open(struct inode *inode, struct file *file)
{
	return open_report(inode, file, 0);
}

static int drain_open(struct inode *inode, struct file *file)
{
	return open_report(inode, file, 1);
}

static int samples_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	nmiprof_core_report_free(m->private);
	return seq_release(inode, file);
}

static const struct file_operations samples_fops = {
	.owner = THIS_MODULE,
	.open = samples_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = samples_release,
};

static const struct file_operations drain_fops = {
	.owner = THIS_MODULE,
	.open = drain_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = samples_release,
};

/* readprofile(8): an array of unsigned int, the first is the step in bytes. */
struct profile_image {
	size_t bytes;
	u32 words[];
};

static int profile_open(struct inode *inode, struct file *file)
{
	struct nmiprof_report_info info;
	struct nmiprof_report *report;
	struct profile_image *image;
	struct nmiprof_row row;
	size_t bytes;
	u64 at;
	int err = nmiprof_core_report(0, &report);

	if (err)
		return err;
	nmiprof_core_report_info(report, &info);
	bytes = (info.bins + 1) * sizeof(u32);
	image = vzalloc(sizeof(*image) + bytes);
	if (image) {
		image->bytes = bytes;
		image->words[0] = info.granularity;
		for (at = 0; at < info.bins; at++) {
			nmiprof_core_report_row(report, at, &row);
			image->words[at + 1] = row.total;
		}
	}
	nmiprof_core_report_free(report);
	file->private_data = image;
	return image ? 0 : -ENOMEM;
}

static ssize_t profile_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	const struct profile_image *image = file->private_data;

	return simple_read_from_buffer(buf, count, pos, image->words, image->bytes);
}

/* readprofile asks for the size by seeking to the end. */
static loff_t profile_llseek(struct file *file, loff_t offset, int whence)
{
	const struct profile_image *image = file->private_data;

	return fixed_size_llseek(file, offset, whence, image->bytes);
}

static int profile_release(struct inode *inode, struct file *file)
{
	vfree(file->private_data);
	return 0;
}

static const struct file_operations profile_fops = {
	.owner = THIS_MODULE,
	.open = profile_open,
	.read = profile_read,
	.llseek = profile_llseek,
	.release = profile_release,
};

static int ledger_show(struct seq_file *m, void *unused)
{
	const unsigned int nr = nmiprof_core_terms();
	shim_u64 terms[NMIPROF_MAX_TERMS], total[NMIPROF_MAX_TERMS] = { };
	unsigned int cpu, term;
	int err;

	seq_puts(m, "cpu");
	for (term = 0; term < nr; term++)
		seq_printf(m, " %s", nmiprof_core_term_name(term));
	seq_putc(m, '\n');
	for_each_possible_cpu(cpu) {
		err = nmiprof_core_ledger(cpu, terms);
		if (err)
			return err;
		for (term = 0; term < nr; term++)
			total[term] += terms[term];
		if (!cpu_present(cpu))
			continue;
		seq_printf(m, "%u", cpu);
		for (term = 0; term < nr; term++)
			seq_printf(m, " %lu", terms[term]);
		seq_putc(m, '\n');
	}
	/* Last, as it is the sum of what was read: each CPU adds up, so this does. */
	seq_puts(m, "total");
	for (term = 0; term < nr; term++)
		seq_printf(m, " %lu", total[term]);
	seq_putc(m, '\n');
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ledger);

static int handlers_show(struct seq_file *m, void *unused)
{
	struct nmiprof_handler_stats stats;
	unsigned int number, cpu;
	char name[MAX_NAME];

	seq_puts(m, "number name cpu invocations claims longest_ns\n");
	for (number = 0; number < nmiprof_core_max_handlers(); number++) {
		if (nmiprof_core_handler_name(number, name, sizeof(name)))
			continue;
		for_each_present_cpu(cpu)
			if (!nmiprof_core_handler_stats(number, cpu, &stats))
				seq_printf(m, "%u %s %u %lu %lu %lu\n", number, name, cpu,
					   stats.invocations, stats.claims, stats.longest_ns);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(handlers);

void nmiprof_dumps_add(void)
{
	/* debugfs may be off: as everywhere, its errors are not looked at. */
	dir = debugfs_create_dir("nmiprof", NULL);
	debugfs_create_file("profile", 0400, dir, NULL, &profile_fops);
	debugfs_create_file("samples", 0400, dir, NULL, &samples_fops);
	debugfs_create_file("drain", 0400, dir, NULL, &drain_fops);
	debugfs_create_file("ledger", 0400, dir, NULL, &ledger_fops);
	debugfs_create_file("handlers", 0400, dir, NULL, &handlers_fops);
}

void nmiprof_dumps_remove(void)
{
	debugfs_remove_recursive(dir);
}
