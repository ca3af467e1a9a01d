// SPDX-License-Identifier: GPL-2.0-only
// rcu_ptr<T> and retired<T>: RCU as types.
//
//	rcu_ptr<table> live{&default_table};
//
//	reader:   const table *t = live.read(nmi);           // any read section
//	updater:  retired<table> old = live.exchange(fresh); // publish
//	          free(old.reclaim(sleep));                  // wait, then it is ours
//
// A retired object cannot be dereferenced: readers may still be in it. reclaim()
// waits for a grace period and only then gives the pointer back. To drop one
// without reclaiming it is a bug that warns and leaks: it never blocks and
// never frees what a reader could see.
//
// Costs: read() is one load. reclaim() sleeps for a grace period, milliseconds.
// Limits: several updaters need a lock of their own (update_lock).
// Idea: C++26 [saferecl.rcu]; Documentation/RCU/NMI-RCU.rst for the NMI side.
#pragma once

#include "context.hpp"
#include "fault.hpp"
#include "kstd/atomic.hpp"
#include "kstd/utility.hpp"
#include "shim/log.h"
#include "shim/rcu.h"

namespace nmiprof {

template <class T> class [[nodiscard]] retired {
      public:
	constexpr retired() noexcept = default;
	retired(retired &&other) noexcept : object_(kstd::exchange<T *>(other.object_, nullptr))
	{
	}
	retired(const retired &) = delete;
	retired &operator=(const retired &) = delete;
	~retired()
	{
		if (object_)
			shim_warn_leaked("an object was retired but never reclaimed");
	}

	// Waits until every reader that could have seen the object has left its
	// read section; then it belongs to the caller alone. Null stays null.
	T *reclaim(const may_sleep &) noexcept
	{
		if (object_ && !fault::planted(NMIPROF_FAULT_no_grace_period))
			shim_synchronize_rcu();
		return kstd::exchange<T *>(object_, nullptr);
	}

	// The object is a static one, which goes on existing: nothing is to be freed,
	// so nothing need be waited for.
	void stays(const T &permanent) noexcept
	{
		if (object_ == &permanent)
			object_ = nullptr;
	}

	// The object is part of `whole`, retired no earlier than this: one grace
	// period will do for both, and whoever reclaims `whole` owns the part.
	template <class U> void joins(const retired<U> &whole) noexcept
	{
		static_cast<void>(whole);
		object_ = nullptr;
	}

      private:
	template <class> friend class rcu_ptr;
	explicit retired(T *object) noexcept : object_(object)
	{
	}
	T *object_ = nullptr;
};

template <class T> class rcu_ptr {
      public:
	constexpr explicit rcu_ptr(T *initial = nullptr) noexcept : object_(initial)
	{
	}

	// rcu_dereference(). x86-64 and the compiler's acquire load keep what the
	// publisher wrote before publishing visible.
	T *read(const rcu_read &) const noexcept
	{
		return object_.load_acquire();
	}
	// rcu_dereference_protected(): the updaters' own view.
	T *read(const update_lock &) const noexcept
	{
		return object_.load_relaxed();
	}
	// rcu_assign_pointer() where the old object, if any, goes on living.
	void publish(const update_lock &, T *fresh) noexcept
	{
		shim_rcu_assign_pointer(reinterpret_cast<void **>(object_.raw()), fresh);
	}
	// rcu_replace_pointer(): all that was written to `fresh` is visible before
	// the pointer is.
	retired<T> exchange(const update_lock &lock, T *fresh) noexcept
	{
		T *old = object_.load_relaxed();

		if (fault::planted(NMIPROF_FAULT_plain_publish))
			*object_.raw() = fresh;
		else
			publish(lock, fresh);
		return retired<T>(old);
	}

      private:
	kstd::atomic<T *> object_;
};

} // namespace nmiprof
