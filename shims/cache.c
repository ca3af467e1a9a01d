// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "shim/cache.h"
#include "check.h"

static struct kmem_cache *kmem(struct shim_cache *cache)
{
	return (struct kmem_cache *)cache;
}

/*
 * 6.1's kmem_cache_destroy() leaves it to a work item, after a grace period, to take the
 * cache's name out of sysfs: a cache that is made again at once, or by the module's next
 * instance, needs another name. Newer kernels wait for the grace period themselves.
 */
struct shim_cache *shim_cache_create(const char *name, shim_size bytes,
				     void (*construct)(void *object))
{
	struct kmem_cache *cache;
	char *unique;

	shim_check(may_sleep);
	unique = kasprintf(GFP_KERNEL, "%s_%llx", name, ktime_get_ns());
	if (!unique)
		return NULL;
	cache = kmem_cache_create(unique, bytes, 0, SLAB_TYPESAFE_BY_RCU, construct);
	kfree(unique);
	return (struct shim_cache *)cache;
}

void shim_cache_destroy(struct shim_cache *cache)
{
	shim_check(may_sleep);
	kmem_cache_destroy(kmem(cache));
}

void *shim_cache_alloc(struct shim_cache *cache)
{
	shim_check(may_sleep);
	return kmem_cache_alloc(kmem(cache), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
}

void shim_cache_free(struct shim_cache *cache, void *object)
{
	kmem_cache_free(kmem(cache), object);
}
