/* SPDX-License-Identifier: GPL-2.0-only */
/* Zeroed memory. Process context, sleeps. */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include "shim/types.h"

SHIM_BEGIN

/* Memory near CPU @cpu, @bytes of it, zeroed; NULL when there is none. */
void *shim_alloc(shim_size bytes, unsigned int cpu) SHIM_NOEXCEPT;
void shim_free(void *memory) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_MEMORY_H */
