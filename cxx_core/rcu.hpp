// SPDX-License-Identifier: GPL-2.0-only
// rcu_ptr<T> and retired<T>: RCU as types.
//
//	rcu_ptr<table> live{&default_table};
//
//	reader:   const table *t = live.read(nmi);           // any read section
//	updater:  retired<table> old = live.exchange(lock, fresh); // publish
//	          free(old.reclaim(sleep));                        // wait, then it is ours
//
// A retired object cannot be dereferenced: readers may still be in it. reclaim()
// waits for a grace period and only then gives the pointer back. To drop one
// without reclaiming it is a bug that warns and leaks: it never blocks and
// never frees what a reader could see.
//
// An object that derives from rcu_object need not be waited for:
//
//	old.call_later();	// call_rcu(): T::no_reader_left(T *) after a grace period
//	old.free_later();	// kfree_rcu(): the kernel frees it by itself
//
// Costs: read() is one load. reclaim() sleeps for a grace period, milliseconds; the other
// two queue the object.
// Limits: several updaters need a lock, and show that they hold it: update_lock, or
// the type given as rcu_ptr's second parameter.
// Idea: C++26 [saferecl.rcu]; Documentation/RCU/NMI-RCU.rst for the NMI side.
#pragma once

#include "context.hpp"
#include "fault.hpp"
#include "kstd/atomic.hpp"
#include "kstd/utility.hpp"
#include "shim/log.h"
#include "shim/rcu.h"
#include "shim/reclaim.h"
#include "shim/sched.h"

namespace nmiprof {

// To be derived from, as the first of the bases: what call_rcu() and kfree_rcu() queue an
// object by. kfree_rcu() needs it at an offset under 4096; here it is 0.
struct rcu_object : shim_rcu_head {};

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

	// There is an object.
	explicit operator bool() const noexcept
	{
		return object_;
	}

	// Waits until every reader that could have seen the object has left its
	// read section; then it belongs to the caller alone. Null stays null.
	T *reclaim(const may_sleep &) noexcept
	{
		if (object_ && !fault::planted(NMIPROF_FAULT_no_grace_period))
			shim_synchronize_rcu();
		return kstd::exchange<T *>(object_, nullptr);
	}

	// The same, quicker, by interrupting the CPUs that readers may run on.
	T *reclaim_expedited(const may_sleep &) noexcept
	{
		if (object_)
			shim_synchronize_rcu_expedited();
		return kstd::exchange<T *>(object_, nullptr);
	}
	// The same by asking again and again: the caller could do other work in between.
	T *reclaim_polled(const may_sleep &, unsigned int pause_us) noexcept
	{
		if (object_) {
			const kstd::uint64_t grace_period = shim_rcu_poll_start();

			while (!shim_rcu_poll(grace_period))
				shim_sleep_us(pause_us);
		}
		return kstd::exchange<T *>(object_, nullptr);
	}

	// call_rcu(): T::no_reader_left(T *) after a grace period, in softirq. It finds the
	// object from the head alone: C's container_of(), checked by the type.
	void call_later() noexcept
	{
		if (object_)
			shim_call_rcu(kstd::exchange<T *>(object_, nullptr),
				      [](shim_rcu_head *head) noexcept {
					      T::no_reader_left(static_cast<T *>(head));
				      });
	}
	// kfree_rcu(): for what shim_object_alloc() gave.
	void free_later() noexcept
	{
		if (object_)
			shim_kfree_rcu(kstd::exchange<T *>(object_, nullptr));
	}

	// By another way to wait for readers: wait() returns when every one that could have
	// seen the object has left its read section.
	template <class Wait> T *reclaim_by(const may_sleep &, Wait &&wait) noexcept
	{
		if (object_)
			wait();
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
	template <class, class> friend class rcu_ptr;
	template <class> friend class rcu_counted;
	explicit retired(T *object) noexcept : object_(object)
	{
	}
	T *object_ = nullptr;
};

template <class T, class Lock = update_lock> class rcu_ptr {
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
	T *read(const Lock &) const noexcept
	{
		return object_.load_relaxed();
	}
	// RCU_INIT_POINTER(): while no reader can come by this pointer.
	void init(T *first) noexcept
	{
		object_.store_relaxed(first);
	}
	// rcu_assign_pointer() where the old object, if any, goes on living.
	void publish(const Lock &, T *fresh) noexcept
	{
		shim_rcu_assign_pointer(reinterpret_cast<void **>(object_.raw()), fresh);
	}
	// rcu_replace_pointer(): all that was written to `fresh` is visible before
	// the pointer is.
	retired<T> exchange(const Lock &lock, T *fresh) noexcept
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
