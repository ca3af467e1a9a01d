// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cost meter for NMI handlers, to be run under QEMU's -icount, where the time
 * stamp counter counts guest instructions. It sends NMIs to its own CPU through
 * nmiprof and, in each, puts two readings of the counter around one call, from
 * entry to return. In debugfs, nmiprof_cost/; reading a file measures and prints
 * count, minimum, median and maximum of counts, less what the readings themselves
 * cost:
 *
 *	nmiprof   nmiprof's handler as it is set up now
 *	classic   the textbook's: dereference, null check, range check, atomic increment
 *	perf      perf's sample writer, for the event of `perf record -e nmi_cost//`
 *	foreign   nmiprof's handler for an NMI that is not its own
 *	exception the kernel's way from the exception to all handlers and back, with that
 *	          handler as the last of them
 *
 * Reading loop does a fixed amount of work in kernel text and prints the count and the
 * nanoseconds that went by; what samplers take out of it is all that they cost, the
 * interrupts on the way to them included. Writing N to timer starts an hrtimer that does
 * nothing every N ns, 0 stops it.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/sort.h>
#include <linux/string.h>

#include <asm/nmi.h>
#include <asm/tsc.h>

#include "nmi_handler.h"
#include "nmiprof.h"

#define RUNS 1001

#define LOOP_TURNS 40000

enum what { NOTHING, NMIPROF, CLASSIC, PERF, FOREIGN, EXCEPTION };

static enum what measuring; /* written with no NMI on its way */
static u64 spent;
static bool measured;

/* The classic profile buffer (Documentation/RCU/NMI-RCU.rst), shared and atomic. */
struct classic_buffer {
	unsigned long base, size;
	atomic_t count[256];
};

static struct classic_buffer __rcu *classic;
static struct perf_event *perf_event;

static __always_inline void classic_handler(struct pt_regs *regs)
{
	struct classic_buffer *buffer = rcu_dereference_sched(classic);
	unsigned long at;

	if (!buffer)
		return;
	at = (regs->ip - buffer->base) >> 4;
	if (at >= buffer->size)
		return;
	atomic_inc(&buffer->count[at]);
}

static int meter(unsigned int type, struct pt_regs *regs)
{
	struct perf_sample_data data;
	u64 start, end;
	int mine = 0;

	switch (READ_ONCE(measuring)) {
	case NOTHING:
		return 0;
	case EXCEPTION:
		return 1;
	case NMIPROF:
		start = rdtsc();
		mine = nmiprof_nmi(type, regs);
		end = rdtsc();
		break;
	case FOREIGN:
		mine = nmiprof_nmi(type, regs);
		start = rdtsc();
		nmiprof_nmi(type, regs);
		end = rdtsc();
		break;
	case CLASSIC:
		/* So that the address is in range: the hit is what is measured. */
		rcu_access_pointer(classic)->base = regs->ip & ~0xffUL;
		start = rdtsc();
		classic_handler(regs);
		end = rdtsc();
		mine = nmiprof_nmi(type, regs);
		break;
	case PERF:
		mine = nmiprof_nmi(type, regs);
		if (!perf_event)
			return mine;
		perf_sample_data_init(&data, 0, perf_event->hw.last_period);
		start = rdtsc();
		/* lint: UNNECESSARY_PARENTHESES: they are READ_ONCE()'s */
		READ_ONCE(perf_event->overflow_handler)(perf_event, &data, regs);
		end = rdtsc();
		break;
	}
	spent = end - start;
	measured = true;
	return mine;
}

static int compare(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* What two readings cost with nothing between. */
static u64 overhead(void)
{
	u64 least = U64_MAX, start;
	int i;

	for (i = 0; i < 100; i++) {
		start = rdtsc();
		least = min(least, rdtsc() - start);
	}
	return least;
}

/*
 * The vector by an instruction: the way is that of an NMI, only the latch in the CPU
 * has no part in it.
 */
static void raise_exception(void)
{
	const u64 start = rdtsc();

	asm volatile("int $2" : : : "memory");
	spent = rdtsc() - start;
	measured = true;
}

static int measure_show(struct seq_file *m, void *unused)
{
	const enum what what = (enum what)(unsigned long)m->private;
	u64 *all = kcalloc(RUNS, sizeof(*all), GFP_KERNEL);
	const u64 less = overhead();
	unsigned long flags;
	int i, n = 0, err = 0;

	if (!all)
		return -ENOMEM;
	if (what == PERF && !perf_event) {
		kfree(all);
		return -ENODEV;
	}
	for (i = 0; i < RUNS && !err; i++) {
		local_irq_save(flags);
		measured = false;
		WRITE_ONCE(measuring, what);
		if (what == EXCEPTION)
			raise_exception();
		else
			err = nmiprof_sample(smp_processor_id());
		ndelay(1000);
		WRITE_ONCE(measuring, NOTHING);
		local_irq_restore(flags);
		if (measured)
			all[n++] = spent - less;
	}
	if (!err && !n)
		err = -EIO;
	if (!err) {
		sort(all, n, sizeof(*all), compare, NULL);
		seq_printf(m, "%d %llu %llu %llu\n", n, all[0], all[n / 2], all[n - 1]);
	}
	kfree(all);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(measure);

static int loop_show(struct seq_file *m, void *unused)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	unsigned long tick;
	u64 start, ns;
	int i;

	if (!page)
		return -ENOMEM;
	/* From one of the kernel's ticks on: as many of them fall into each reading. */
	tick = jiffies;
	while (time_before_eq(jiffies, tick))
		cpu_relax();
	ns = ktime_get_ns();
	start = rdtsc();
	for (i = 0; i < LOOP_TURNS; i++) {
		OPTIMIZER_HIDE_VAR(page);
		memchr_inv(page, 0, PAGE_SIZE);
	}
	seq_printf(m, "%llu %llu\n", rdtsc() - start, ktime_get_ns() - ns);
	free_page((unsigned long)page);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(loop);

static struct hrtimer idle_timer;
static u64 timer_period; /* ns; 0: stopped */

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	hrtimer_forward_now(timer, ns_to_ktime(READ_ONCE(timer_period)));
	return HRTIMER_RESTART;
}

static int timer_set(void *unused, u64 ns)
{
	hrtimer_cancel(&idle_timer);
	WRITE_ONCE(timer_period, ns);
	if (ns)
		hrtimer_start(&idle_timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(timer_fops, NULL, timer_set, "%llu\n");

/* A PMU whose only purpose is to have perf set up an event and its ring buffer. */
static struct pmu pmu;

static int event_init(struct perf_event *event)
{
	return event->attr.type == pmu.type ? 0 : -ENOENT;
}

static int event_add(struct perf_event *event, int flags)
{
	WRITE_ONCE(perf_event, event);
	return 0;
}

static void event_del(struct perf_event *event, int flags)
{
	WRITE_ONCE(perf_event, NULL);
}

static void event_start(struct perf_event *event, int flags)
{
}

static void event_stop(struct perf_event *event, int flags)
{
}

static void event_read(struct perf_event *event)
{
}

static struct pmu pmu = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_invalid_context,
	.event_init = event_init,
	.add = event_add,
	.del = event_del,
	.start = event_start,
	.stop = event_stop,
	.read = event_read,
};

static struct dentry *dir;

static int __init nmiprof_cost_init(void)
{
	struct classic_buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	int err;

	if (!buffer)
		return -ENOMEM;
	hrtimer_init(&idle_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	idle_timer.function = on_timer;
	buffer->size = ARRAY_SIZE(buffer->count);
	rcu_assign_pointer(classic, buffer);
	err = perf_pmu_register(&pmu, "nmi_cost", -1);
	if (err)
		goto free;
	err = register_nmi_handler(NMI_LOCAL, meter, NMI_FLAG_FIRST, "nmiprof_cost");
	if (err)
		goto unregister;
	dir = debugfs_create_dir("nmiprof_cost", NULL);
	debugfs_create_file("nmiprof", 0400, dir, (void *)NMIPROF, &measure_fops);
	debugfs_create_file("classic", 0400, dir, (void *)CLASSIC, &measure_fops);
	debugfs_create_file("perf", 0400, dir, (void *)PERF, &measure_fops);
	debugfs_create_file("foreign", 0400, dir, (void *)FOREIGN, &measure_fops);
	debugfs_create_file("exception", 0400, dir, (void *)EXCEPTION, &measure_fops);
	debugfs_create_file("loop", 0400, dir, NULL, &loop_fops);
	debugfs_create_file("timer", 0200, dir, NULL, &timer_fops);
	return 0;

unregister:
	perf_pmu_unregister(&pmu);
free:
	kfree(buffer);
	return err;
}

static void __exit nmiprof_cost_exit(void)
{
	debugfs_remove_recursive(dir);
	hrtimer_cancel(&idle_timer);
	unregister_nmi_handler(NMI_LOCAL, "nmiprof_cost");
	perf_pmu_unregister(&pmu);
	kfree(rcu_access_pointer(classic));
}

module_init(nmiprof_cost_init);
module_exit(nmiprof_cost_exit);

MODULE_DESCRIPTION("nmiprof: what NMI handlers cost");
MODULE_LICENSE("GPL");
