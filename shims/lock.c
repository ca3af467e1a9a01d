// SPDX-License-Identifier: GPL-2.0-only
#include <linux/spinlock.h>

#include "shim/lock.h"

static_assert(sizeof(spinlock_t) <= sizeof(struct shim_spinlock));
static_assert(sizeof(rwlock_t) <= sizeof(struct shim_rwlock));

static spinlock_t *spin(struct shim_spinlock *lock)
{
	return (spinlock_t *)lock;
}

static rwlock_t *rw(struct shim_rwlock *lock)
{
	return (rwlock_t *)lock;
}

void shim_spin_init(struct shim_spinlock *lock)
{
	spin_lock_init(spin(lock));
}

void shim_rwlock_init(struct shim_rwlock *lock)
{
	rwlock_init(rw(lock));
}

void shim_spin_lock(struct shim_spinlock *lock)
	__acquires(lock)
{
	spin_lock(spin(lock));
}

void shim_spin_unlock(struct shim_spinlock *lock)
	__releases(lock)
{
	spin_unlock(spin(lock));
}

void shim_read_lock(struct shim_rwlock *lock)
	__acquires(lock)
{
	read_lock(rw(lock));
}

void shim_read_unlock(struct shim_rwlock *lock)
	__releases(lock)
{
	read_unlock(rw(lock));
}

void shim_write_lock(struct shim_rwlock *lock)
	__acquires(lock)
{
	write_lock(rw(lock));
}

void shim_write_unlock(struct shim_rwlock *lock)
	__releases(lock)
{
	write_unlock(rw(lock));
}
