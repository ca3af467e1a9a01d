/* SPDX-License-Identifier: GPL-2.0-only */
/* Mutexes; the C++ guard is in cxx_core/mutex.hpp. */
#ifndef SHIM_MUTEX_H
#define SHIM_MUTEX_H

#include "shim/types.h"

SHIM_BEGIN

/* Room for the kernel's own, with all of its debugging. */
struct shim_mutex {
	shim_u64 opaque[24];
};

void shim_mutex_init(struct shim_mutex *lock) SHIM_NOEXCEPT;

/* mutex_lock(), mutex_unlock(): process context, sleeps; who holds it may sleep. */
void shim_mutex_lock(struct shim_mutex *lock) SHIM_NOEXCEPT;
void shim_mutex_unlock(struct shim_mutex *lock) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_MUTEX_H */
