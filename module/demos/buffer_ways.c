// SPDX-License-Identifier: GPL-2.0-only
/* A profile buffer that is swapped under NMIs, in three ways (spec D7). */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/smp.h>

#include "demos/buffer_ways.h"
#include "experiment.h"
#include "nmiprof.h"

static bool allow_racy;
module_param(allow_racy, bool, 0444);
MODULE_PARM_DESC(allow_racy, "Allow the way that corrupts memory: for test machines (default N)");

static const char *const ways[] = { "racy", "lock", "rcu", NULL };

/*
 * nmiprof.ko's functions while it runs: found by name, so that this module loads without
 * that one. Each that is found holds nmiprof.ko in place.
 */
static struct {
	typeof(nmiprof_register) *add;
	typeof(nmiprof_unregister) *remove;
	typeof(nmiprof_sample) *sample;
} nmiprof;

static int handler; /* its number there */

static void let_nmiprof_go(void)
{
	if (nmiprof.add)
		symbol_put(nmiprof_register);
	if (nmiprof.remove)
		symbol_put(nmiprof_unregister);
	if (nmiprof.sample)
		symbol_put(nmiprof_sample);
}

static int find_nmiprof(void)
{
	nmiprof.add = symbol_get(nmiprof_register);
	nmiprof.remove = symbol_get(nmiprof_unregister);
	nmiprof.sample = symbol_get(nmiprof_sample);
	if (nmiprof.add && nmiprof.remove && nmiprof.sample)
		return 0;
	let_nmiprof_go();
	pr_err_ratelimited("refused: run: load nmiprof.ko first\n");
	return -ENODEV;
}

/* Every NMI that nmiprof.ko sends is a sample, whoever asked for it. */
static unsigned int on_nmi(void *unused, const struct nmiprof_nmi *nmi)
{
	if (nmi->how & NMIPROF_FOREIGN)
		return 0;
	buffer_ways_sample(smp_processor_id());
	return 1;
}

/* Samplers: as long as nobody profiles, nmiprof.ko sends only what it is asked for. */

static void sampler_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 1000;
}

static unsigned int sampler_turn(struct demo_thread *thread)
{
	unsigned int cpu, failed = 0;

	for_each_online_cpu(cpu)
		failed += nmiprof.sample(cpu) != 0;
	return failed;
}

static const struct demo_role sampler = {
	.name = "sampler",
	.plural = "samplers",
	.count = 1,
	.init = sampler_init,
	.turn = sampler_turn,
};

/* Writers */

static void writer_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 1000;
}

static unsigned int writer_turn(struct demo_thread *thread)
{
	return buffer_ways_swap() != 0;
}

static const struct demo_role writer = {
	.name = "writer",
	.plural = "writers",
	.count = 1,
	.init = writer_init,
	.turn = writer_turn,
};

/* All */

static int way_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = buffer_ways_get_way();
	return 0;
}

static int way_set(struct kobject *owner, unsigned int what, u64 value)
{
	int err;

	if (value == BUFFER_WAYS_RACY && !allow_racy) {
		pr_err_ratelimited("refused: way racy: corrupts memory; load with allow_racy=1 on a test machine\n");
		return -EPERM;
	}
	err = buffer_ways_set_way(value);
	if (err)
		pr_err_ratelimited("refused: way %s: not enough memory\n", ways[value]);
	return err;
}

static int hold_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = buffer_ways_hold_ns();
	return 0;
}

static int hold_set(struct kobject *owner, unsigned int what, u64 value)
{
	buffer_ways_set_hold_ns(value);
	return 0;
}

enum {
	SAMPLES, DRAINED, LIVE, NO_BUFFER, LOCK_HELD, RACED, UNACCOUNTED, SEEN_FREED,
	SEEN_FREED_BY_RACY,
};

static int ledger_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct buffer_ways_ledger ledger;
	int err = buffer_ways_read(&ledger);

	if (err)
		return err;
	*value = what == SAMPLES ? ledger.samples :
		 what == DRAINED ? ledger.drained :
		 what == LIVE ? ledger.live :
		 what == NO_BUFFER ? ledger.no_buffer :
		 what == LOCK_HELD ? ledger.lock_held :
		 what == RACED ? ledger.raced :
		 what == UNACCOUNTED ? ledger.unaccounted :
		 what == SEEN_FREED_BY_RACY ? ledger.seen_freed[BUFFER_WAYS_RACY] :
		 ledger.seen_freed[BUFFER_WAYS_LOCK] + ledger.seen_freed[BUFFER_WAYS_RCU];
	return 0;
}

/* @what: way * DEMO_MEASURES + measure */
static int swap_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_durations seen;

	buffer_ways_swaps(what / DEMO_MEASURES, &seen);
	return demo_durations_get(&seen, what % DEMO_MEASURES, value);
}

/* lint: COMPLEX_MACRO: entries of a table */
#define OF_WAY(_way, _WAY) \
	DEMO_VALUE_RO(swaps_by_##_way, \
		      BUFFER_WAYS_##_WAY * DEMO_MEASURES + DEMO_COUNT, swap_get), \
	DEMO_VALUE_RO(swap_mean_ns_of_##_way, \
		      BUFFER_WAYS_##_WAY * DEMO_MEASURES + DEMO_MEAN_NS, swap_get), \
	DEMO_VALUE_RO(swap_longest_ns_of_##_way, \
		      BUFFER_WAYS_##_WAY * DEMO_MEASURES + DEMO_LONGEST_NS, swap_get)

static struct demo_value values[] = {
	DEMO_VALUE_RW(way, 0, way_get, way_set, .names = ways),
	DEMO_VALUE_RW(nmi_hold_ns, 0, hold_get, hold_set, .most = BUFFER_WAYS_MAX_HOLD_NS),
	DEMO_VALUE_RO(samples, SAMPLES, ledger_get),
	DEMO_VALUE_RO(drained, DRAINED, ledger_get),
	DEMO_VALUE_RO(live, LIVE, ledger_get),
	DEMO_VALUE_RO(lost_no_buffer, NO_BUFFER, ledger_get),
	DEMO_VALUE_RO(lost_lock_held, LOCK_HELD, ledger_get),
	DEMO_VALUE_RO(lost_raced, RACED, ledger_get),
	DEMO_VALUE_RO(unaccounted, UNACCOUNTED, ledger_get),
	DEMO_VALUE_RO(seen_freed, SEEN_FREED, ledger_get),
	DEMO_VALUE_RO(seen_freed_by_racy, SEEN_FREED_BY_RACY, ledger_get),
	OF_WAY(racy, RACY),
	OF_WAY(lock, LOCK),
	OF_WAY(rcu, RCU),
	{ }
};

static int ledger_show(struct seq_file *file, void *unused)
{
	struct buffer_ways_ledger ledger;
	unsigned int cpu;
	int err;

	seq_puts(file, "# cpu samples drained live no_buffer lock_held raced unaccounted\n");
	for_each_possible_cpu(cpu) {
		err = buffer_ways_read_cpu(cpu, &ledger);
		if (err == -ENOENT)
			break;
		if (err)
			return err;
		seq_printf(file, "%u %lu %lu %lu %lu %lu %lu %lu\n", cpu, ledger.samples,
			   ledger.drained, ledger.live, ledger.no_buffer, ledger.lock_held,
			   ledger.raced, ledger.unaccounted);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ledger);

static int swaps_show(struct seq_file *file, void *unused)
{
	struct demo_durations seen;
	int way;

	demo_durations_head(file);
	for (way = 0; way < BUFFER_WAYS_WAYS; way++) {
		buffer_ways_swaps(way, &seen);
		demo_durations_dump(file, ways[way], &seen);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(swaps);

static void dump(struct dentry *folder)
{
	debugfs_create_file("ledger", 0400, folder, NULL, &ledger_fops);
	debugfs_create_file("swaps", 0400, folder, NULL, &swaps_fops);
}

/* A buffer is there before the first NMI comes, and until after the last. */
static int prepare(void)
{
	int err = find_nmiprof();

	if (err)
		return err;
	err = buffer_ways_start();
	if (err)
		goto let_go;
	handler = nmiprof.add("rcu_demo", on_nmi, NULL);
	if (handler > 0)
		return 0;
	err = handler;
	pr_err_ratelimited("refused: run: nmiprof.ko takes no handler: error %d\n", err);
	buffer_ways_stop();
let_go:
	let_nmiprof_go();
	return err;
}

static void dismantle(void)
{
	nmiprof.remove(handler);
	buffer_ways_stop();
	let_nmiprof_go();
}

struct demo_experiment demo_buffer_ways = {
	.name = "buffer_ways",
	.roles = { &sampler, &writer },
	.values = values,
	.init = buffer_ways_init,
	.prepare = prepare,
	.dismantle = dismantle,
	.dump = dump,
	.objects = buffer_ways_objects,
};
