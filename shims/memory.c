// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "shim/memory.h"

void *shim_alloc(shim_size bytes, unsigned int cpu)
{
	if (!bytes)
		return NULL;
	return kvzalloc_node(bytes, GFP_KERNEL | __GFP_NOWARN, cpu_to_node(cpu));
}

void shim_free(void *memory)
{
	kvfree(memory);
}
