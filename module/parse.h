/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is written to sysfs, or given as a parameter: each refuses with an errno and one
 * line in the log, and leaves *value alone then.
 */
#ifndef NMIPROF_PARSE_H
#define NMIPROF_PARSE_H

#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "shim/types.h"

/* A value written to sysfs may hold anything; @count bytes, a zero byte follows. */
static inline int nmiprof_check_text(const char *what, const char *text, size_t count)
{
	if (strnlen(text, count) == count)
		return 0;
	pr_err_ratelimited("refused: %s: holds a zero byte\n", what);
	return -EINVAL;
}

static inline int nmiprof_parse_u64(const char *what, const char *text, shim_u64 *value)
{
	int err = kstrtoul(text, 0, value);

	if (err)
		pr_err_ratelimited("refused: %s: not a number\n", what);
	return err;
}

/* One of @names: two or more, and NULL. */
static inline int nmiprof_parse_choice(const char *what, const char *text,
				       const char *const *names, shim_u32 *value)
{
	int at = __sysfs_match_string(names, -1, text), i, n;
	char all[128];

	if (at >= 0) {
		*value = at;
		return 0;
	}
	n = scnprintf(all, sizeof(all), "%s", names[0]);
	for (i = 1; names[i]; i++)
		n += scnprintf(all + n, sizeof(all) - n, "%s%s", names[i + 1] ? ", " : " or ",
			       names[i]);
	pr_err_ratelimited("refused: %s: must be %s\n", what, all);
	return at;
}

#endif /* NMIPROF_PARSE_H */
