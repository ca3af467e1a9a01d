// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>

#include "shim/object.h"
#include "check.h"

void *shim_object_alloc(shim_size bytes)
{
	shim_check(may_sleep);
	return kzalloc(bytes, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
}

void shim_object_free(void *object)
{
	kfree(object);
}

shim_u64 shim_memory_available(void)
{
	long pages = si_mem_available();

	return pages > 0 ? (shim_u64)pages << PAGE_SHIFT : 0;
}
