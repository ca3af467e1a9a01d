// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mutex.h>

#include "shim/mutex.h"
#include "check.h"

static_assert(sizeof(struct mutex) <= sizeof(struct shim_mutex));

void shim_mutex_init(struct shim_mutex *lock)
{
	mutex_init((struct mutex *)lock);
}

void shim_mutex_lock(struct shim_mutex *lock)
{
	shim_check(may_sleep);
	mutex_lock((struct mutex *)lock);
}

void shim_mutex_unlock(struct shim_mutex *lock)
{
	mutex_unlock((struct mutex *)lock);
}
