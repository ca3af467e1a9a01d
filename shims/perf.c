// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/irq_work.h>
#include <linux/kstrtox.h>
#include <linux/namei.h>
#include <linux/perf_event.h>
#include <linux/sched/task.h>
#include <linux/signal.h>

#include "shim/perf.h"
#include "check.h"

/*
 * perf_event_overflow() is not exported. What it ends in is a field of the event: the
 * writer of the ring buffer, unless somebody (BPF on 6.1) has put another one there.
 */
void shim_perf_sample(struct perf_event *event, struct pt_regs *regs, shim_u64 period_ns)
{
	/* As perf's own callers leave it: its writer looks at what has been set only. */
	struct perf_sample_data data __uninitialized;

	local64_inc(&event->count);
	if (!is_sampling_event(event))
		return;
	perf_sample_data_init(&data, 0, period_ns);
	data.addr = 0; /* 6.1 reads it for some that did not ask for it */
	event->pending_kill = POLL_IN;
	/* lint: UNNECESSARY_PARENTHESES: those of READ_ONCE() */
	READ_ONCE(event->overflow_handler)(event, &data, regs);
	/* SIGIO for who asked for it; inherited events have it in their parent. */
	if (unlikely((event->parent ?: event)->fasync) && event->pending_kill) {
		event->pending_wakeup = 1;
		irq_work_queue(&event->pending_irq);
	}
}

int shim_perf_check_newer(const struct perf_event_attr *attr)
{
#ifdef PERF_ATTR_SIZE_VER8
	if (attr->config3)
		return -EINVAL;
#endif
	return 0;
}

/* The variable is not exported; the file is there since 2.6.31. */
shim_u64 shim_perf_max_sample_rate(void)
{
	shim_u64 rate = 0;
	struct path root;
	struct file *file;
	char text[24];
	loff_t at = 0;
	ssize_t n;

	shim_check(may_sleep);
	/* Of the machine, not of who opens an event: that may be a container. */
	get_fs_root(init_task.fs, &root);
	file = file_open_root(&root, "proc/sys/kernel/perf_event_max_sample_rate", O_RDONLY, 0);
	path_put(&root);
	if (IS_ERR(file))
		return 0;
	n = kernel_read(file, text, sizeof(text) - 1, &at);
	filp_close(file, NULL);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return kstrtoul(text, 10, &rate) ? 0 : rate;
}
