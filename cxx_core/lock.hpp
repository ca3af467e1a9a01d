// SPDX-License-Identifier: GPL-2.0-only
// Spinlocks and rwlocks whose guards are evidence: a function that needs the lock takes
// a guard of it.
//
//	class queue_lock : public spin_guard { ... };	// made only for the queue's lock
//	void push(const queue_lock &, T *);
//
// While one is held nothing may sleep: a function that sleeps takes may_sleep as well, and
// there is none inside (lint and lockdep look; the compiler cannot). A held lock is a read
// section of RCU, too: preemption is off, and where it is not, on PREEMPT_RT, the kernel's
// spin_lock() and read_lock() enter one themselves (kernel/locking/spinlock_rt.c).
//
// To lockdep all spinlocks are one class and all rwlocks another, as each kind is initialised
// in one place: none inside another of its kind, and a rwlock inside a spinlock only.
#pragma once

#include "context.hpp"
#include "shim/lock.h"

namespace nmiprof {

// Of zeros until init(): for objects that exist before the kernel runs code of ours.
class spinlock {
      public:
	void init() noexcept
	{
		shim_spin_init(&raw_);
	}

      private:
	friend class spin_guard;
	shim_spinlock raw_ = {};
};

class rwlock {
      public:
	void init() noexcept
	{
		shim_rwlock_init(&raw_);
	}

      private:
	friend class read_guard;
	friend class write_guard;
	shim_rwlock raw_ = {};
};

class spin_guard : public lock_section {
      public:
	explicit spin_guard(spinlock &lock) noexcept : lock_(lock)
	{
		shim_spin_lock(&lock_.raw_);
	}
	~spin_guard()
	{
		shim_spin_unlock(&lock_.raw_);
	}

      private:
	spinlock &lock_;
};

class read_guard : public lock_section {
      public:
	explicit read_guard(rwlock &lock) noexcept : lock_(lock)
	{
		shim_read_lock(&lock_.raw_);
	}
	~read_guard()
	{
		shim_read_unlock(&lock_.raw_);
	}

      private:
	rwlock &lock_;
};

class write_guard : public lock_section {
      public:
	explicit write_guard(rwlock &lock) noexcept : lock_(lock)
	{
		shim_write_lock(&lock_.raw_);
	}
	~write_guard()
	{
		shim_write_unlock(&lock_.raw_);
	}

      private:
	rwlock &lock_;
};

} // namespace nmiprof
