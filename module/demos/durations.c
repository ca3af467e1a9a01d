// SPDX-License-Identifier: GPL-2.0-only
/* How long something took, in sysfs and debugfs. */
#include <linux/seq_file.h>

#include "demos/durations.h"
#include "experiment.h"

int demo_durations_get(const struct demo_durations *seen, enum demo_measure what, u64 *value)
{
	*value = what == DEMO_COUNT ? seen->count :
		 what == DEMO_MEAN_NS ? seen->mean_ns : seen->longest_ns;
	return what == DEMO_COUNT || seen->count ? 0 : -ENODATA;
}

void demo_durations_head(struct seq_file *file)
{
	seq_puts(file, "# way from_us count\n");
}

void demo_durations_dump(struct seq_file *file, const char *way, const struct demo_durations *seen)
{
	int i;

	for (i = 0; i < DEMO_BUCKETS; i++)
		if (seen->bucket[i])
			seq_printf(file, "%s %lu %lu\n", way, i ? 1UL << i : 0, seen->bucket[i]);
}
