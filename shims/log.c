// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/printk.h>
#include <linux/stdarg.h>

#include "shim/log.h"

void shim_log_refused(const char *format, ...)
{
	struct va_format vaf = { .fmt = format };
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	pr_err_ratelimited("refused: %pV\n", &vaf);
	va_end(args);
}

void shim_log_notice(const char *format, ...)
{
	struct va_format vaf = { .fmt = format };
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	pr_notice_ratelimited("%pV\n", &vaf);
	va_end(args);
}

void shim_log_over_budget(unsigned int cpu, unsigned int percent)
{
	static atomic_t said;

	/* Not pr_warn_once(): CPUs over it at the same moment would each say so. */
	if (atomic_read(&said) || atomic_xchg(&said, 1))
		return;
	pr_warn("perf samples took more than %u %% of CPU %u's time: their rate is lowered; stats/perf_throttled counts\n",
		percent, cpu);
}

void shim_warn_leaked(const char *what)
{
	WARN_ONCE(1, "nmiprof: %s: leaked\n", what);
}
