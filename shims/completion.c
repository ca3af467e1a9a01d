// SPDX-License-Identifier: GPL-2.0-only
#include <linux/completion.h>

#include "shim/completion.h"
#include "check.h"

static_assert(sizeof(struct completion) <= sizeof(struct shim_completion));

void shim_completion_init(struct shim_completion *completion)
{
	init_completion((struct completion *)completion);
}

void shim_complete(struct shim_completion *completion)
{
	complete((struct completion *)completion);
}

void shim_completion_wait(struct shim_completion *completion)
{
	shim_check(may_sleep);
	wait_for_completion((struct completion *)completion);
}
