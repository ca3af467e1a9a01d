/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory for small objects, many of them. */
#ifndef SHIM_OBJECT_H
#define SHIM_OBJECT_H

#include "shim/types.h"

SHIM_BEGIN

/*
 * Zeroed, as kzalloc() gives it; NULL when there is none: nobody is killed for it. Process
 * context, sleeps.
 */
void *shim_object_alloc(shim_size bytes) SHIM_NOEXCEPT;
/* kfree(): any context but NMI. NULL is nothing. */
void shim_object_free(void *object) SHIM_NOEXCEPT;

/* Bytes that could be allocated without swapping, about. */
shim_u64 shim_memory_available(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_OBJECT_H */
