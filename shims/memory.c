// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "shim/memory.h"
#include "check.h"

void *shim_alloc(shim_size bytes, unsigned int cpu)
{
	shim_check(may_sleep);
	if (!bytes)
		return NULL;
	/* Beyond a page by pages: kmalloc() would round up to a power of two. */
	if (bytes > PAGE_SIZE)
		return vzalloc_node(bytes, cpu_to_node(cpu));
	return kzalloc_node(bytes, GFP_KERNEL | __GFP_NOWARN, cpu_to_node(cpu));
}

void shim_free(void *memory)
{
	shim_check(may_sleep);
	kvfree(memory);
}
