// SPDX-License-Identifier: GPL-2.0-only
// Context tokens: a function's signature says where it may run.
//
//	void count(const nmi_context &);      only from an NMI handler
//	void touch(const preempt_off &);      only with preemption off
//	T *read(const rcu_read &);            only inside a read section
//	void wait(const may_sleep &);         only where sleeping is allowed
//
// A token cannot be copied, moved or made by hand: it comes from a guard in this
// file, or from `entry` (entry.hpp), which the extern "C" entry points use, as
// they are called in a context that the kernel defines. A stronger context
// converts to the weaker ones that it implies; may_sleep converts to nothing.
//
// Idea: Zircon's preempt_disabled_token.h, Rust-for-Linux's rcu::Guard; rules:
// Documentation/locking/preempt-locking.rst. Checked not to compile when
// misused: kunit_tests/compile_fail/.
#pragma once

#include "fault.hpp"
#include "shim/context.h"

namespace nmiprof {

class entry;

class token {
      protected:
	constexpr token() noexcept = default;

      public:
	token(const token &) = delete;
	token &operator=(const token &) = delete;
};

class rcu_read : token {
	friend class rcu_read_guard;
	friend class rcu_sched_guard;
	friend class lock_section;
	friend class atomic_context;
	constexpr rcu_read() noexcept = default;
};

class preempt_off : token {
	friend class preempt_guard;
	friend class atomic_context;
	constexpr preempt_off() noexcept = default;
};

// What NMIs and hard interrupts have in common: preemption is off and, for a grace
// period, they are read sections. Nothing in them may wait or allocate.
class atomic_context : token {
	friend class nmi_context;
	friend class irq_context;
	constexpr atomic_context() noexcept = default;
	rcu_read read_;
	preempt_off preempt_;

      public:
	constexpr operator const rcu_read &() const noexcept
	{
		return read_;
	}
	constexpr operator const preempt_off &() const noexcept
	{
		return preempt_;
	}
};

// In an NMI handler. Nothing here may send, either.
class nmi_context : public atomic_context {
	friend class entry;
	constexpr nmi_context() noexcept = default;
};

// In a hard interrupt, interrupts off: NMIs still come.
class irq_context : public atomic_context {
	friend class entry;
	constexpr irq_context() noexcept = default;
};

// Process context, no lock held that forbids sleeping.
class may_sleep : token {
	friend class entry;
	constexpr may_sleep() noexcept = default;
};

// rcu_read_lock() ... rcu_read_unlock()
class rcu_read_guard {
      public:
	rcu_read_guard() noexcept
	{
		shim_rcu_read_lock();
	}
	~rcu_read_guard()
	{
		shim_rcu_read_unlock();
	}
	rcu_read_guard(const rcu_read_guard &) = delete;
	rcu_read_guard &operator=(const rcu_read_guard &) = delete;

	operator const rcu_read &() const &noexcept
	{
		return token_;
	}
	// Of a temporary: what is read would outlive the section.
	operator const rcu_read &() const && = delete;

      private:
	rcu_read token_;
};

// What a spinlock or rwlock that is held implies (lock.hpp).
class lock_section : token {
      public:
	operator const rcu_read &() const &noexcept
	{
		return read_;
	}
	operator const rcu_read &() const && = delete;

      private:
	friend class spin_guard;
	friend class read_guard;
	friend class write_guard;
	constexpr lock_section() noexcept = default;
	rcu_read read_;
};

// preempt_disable() ... preempt_enable(); nests.
class preempt_guard {
      public:
	preempt_guard() noexcept
	{
		shim_preempt_disable();
	}
	~preempt_guard()
	{
		shim_preempt_enable();
	}
	preempt_guard(const preempt_guard &) = delete;
	preempt_guard &operator=(const preempt_guard &) = delete;

	operator const preempt_off &() const &noexcept
	{
		return token_;
	}
	operator const preempt_off &() const && = delete;

      private:
	preempt_off token_;
};

// rcu_read_lock_sched() ... rcu_read_unlock_sched(): preemption off, written as a read
// section. Every grace period of the kernel's waits for it as for the other kind.
class rcu_sched_guard {
      public:
	rcu_sched_guard() noexcept
	{
		shim_rcu_read_lock_sched();
	}
	~rcu_sched_guard()
	{
		shim_rcu_read_unlock_sched();
	}
	rcu_sched_guard(const rcu_sched_guard &) = delete;
	rcu_sched_guard &operator=(const rcu_sched_guard &) = delete;

	operator const rcu_read &() const &noexcept
	{
		return read_;
	}
	operator const rcu_read &() const && = delete;

      private:
	rcu_read read_;
};

// The one lock of the update side: whoever changes settings, handlers or
// buffers holds it; it is a mutex, so its holder may sleep. No reader takes it,
// the NMI side least of all: an NMI that waited for a lock of the CPU that it
// interrupted would wait for ever (spec A4).
class update_lock : token {
      public:
	explicit update_lock(const may_sleep &) noexcept
	{
		if (!fault::planted(NMIPROF_FAULT_no_lock))
			shim_update_lock();
	}
	~update_lock()
	{
		if (!fault::planted(NMIPROF_FAULT_no_lock))
			shim_update_unlock();
	}
};

} // namespace nmiprof
