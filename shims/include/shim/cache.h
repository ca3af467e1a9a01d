/* SPDX-License-Identifier: GPL-2.0-only */
/* Type-safe memory; the C++ side is cxx_core/typesafe.hpp. */
#ifndef SHIM_CACHE_H
#define SHIM_CACHE_H

#include "shim/types.h"

SHIM_BEGIN

struct shim_cache;

/*
 * A slab cache with SLAB_TYPESAFE_BY_RCU. The memory of an object may become another one of
 * this cache as soon as it is freed, and nothing else before all readers have left the read
 * sections that they are in.
 * @construct: makes an object of memory that comes into the cache. Not called again when the
 * memory is reused: what it wrote outlives the object. It must not sleep.
 * NULL: no memory. Process context, sleeps.
 */
struct shim_cache *shim_cache_create(const char *name, shim_size bytes,
				     void (*construct)(void *object)) SHIM_NOEXCEPT;

/* All objects have been freed. Process context, sleeps: for a grace period on newer kernels. */
void shim_cache_destroy(struct shim_cache *cache) SHIM_NOEXCEPT;

/* As it was constructed, or as it was when freed; NULL: no memory. Process context, sleeps. */
void *shim_cache_alloc(struct shim_cache *cache) SHIM_NOEXCEPT;

/* Any context but NMI. */
void shim_cache_free(struct shim_cache *cache, void *object) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_CACHE_H */
