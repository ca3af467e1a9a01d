/* SPDX-License-Identifier: GPL-2.0-only */
/* Spinlocks and rwlocks; the C++ guards are in cxx_core/lock.hpp. */
#ifndef SHIM_LOCK_H
#define SHIM_LOCK_H

#include "shim/types.h"

SHIM_BEGIN

/* Room for the kernel's own, with all of its debugging. */
struct shim_spinlock {
	shim_u64 opaque[24];
};

struct shim_rwlock {
	shim_u64 opaque[24];
};

void shim_spin_init(struct shim_spinlock *lock) SHIM_NOEXCEPT;
void shim_rwlock_init(struct shim_rwlock *lock) SHIM_NOEXCEPT;

/*
 * spin_lock(), read_lock(), write_lock(): process context. Waits, and preemption is off
 * until unlocked; on PREEMPT_RT it sleeps instead. A read section of RCU on both.
 */
void shim_spin_lock(struct shim_spinlock *lock) SHIM_NOEXCEPT;
void shim_spin_unlock(struct shim_spinlock *lock) SHIM_NOEXCEPT;
void shim_read_lock(struct shim_rwlock *lock) SHIM_NOEXCEPT;
void shim_read_unlock(struct shim_rwlock *lock) SHIM_NOEXCEPT;
void shim_write_lock(struct shim_rwlock *lock) SHIM_NOEXCEPT;
void shim_write_unlock(struct shim_rwlock *lock) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_LOCK_H */
