// SPDX-License-Identifier: GPL-2.0-only
// rcu_counted<T>: an object that readers find under RCU and keep by a reference; what is
// published holds one reference itself.
//
//	struct task : rcu_counted<task>, ... { ... };
//
//	reader:   { rcu_read_guard section; t = table.find(section, pid);
//	            if (t && !t->get_unless_zero(section)) t = nullptr; }
//	          use(t);
//	          if (t->put()) t->retire().free_later();
//
// When it is unpublished, either the put waits for a grace period or the free does:
//
//	removed.call_later();	// T::no_reader_left(t) puts: no reader finds a count of 0,
//				// and whoever puts the last reference may free at once
//
//	t = task::keep(removed);	// put now: readers may find a count of 0
//	if (t->put()) t->retire().free_later();
//
// Costs: get and put are one locked instruction each on a line that all users share.
// Limits: a count that is wrong, or over 2^31, warns and sticks: it leaks, never frees.
// Idea: kref_get_unless_zero(), refcount_t (include/linux/refcount.h).
#pragma once

#include "rcu.hpp"

namespace nmiprof {

class ref_count {
	using uint32_t = kstd::uint32_t;

      public:
	// The reference of whoever publishes it.
	constexpr ref_count() noexcept : count_(1)
	{
	}

	// Somebody's reference, or a lock, keeps the object.
	void get() noexcept
	{
		check(count_.fetch_add(1));
	}
	// Only a read section keeps it; false: the last one has been put.
	[[nodiscard]] bool get_unless_zero() noexcept
	{
		for (uint32_t n = count_.load_relaxed(); n; n = count_.load_relaxed())
			if (n >= limit || count_.compare_exchange(n, n + 1))
				return true;
		return false;
	}
	// true: that was the last one.
	[[nodiscard]] bool put() noexcept
	{
		const uint32_t was = count_.fetch_add(~uint32_t{0});

		if (was == 1)
			return true;
		check(was);
		return false;
	}

      private:
	static constexpr uint32_t limit = uint32_t{1} << 31;

	void check(uint32_t was) noexcept
	{
		if (was && was < limit)
			return;
		// Far from both ends: those that come before this is stored change nothing.
		count_.store_relaxed(limit + limit / 2);
		shim_warn_leaked("a reference count is wrong");
	}

	kstd::atomic<uint32_t> count_;
};

template <class T> class rcu_counted : public rcu_object {
      public:
	void get() noexcept
	{
		references_.get();
	}
	[[nodiscard]] bool get_unless_zero(const rcu_read &) noexcept
	{
		return references_.get_unless_zero();
	}

	// true: that was the last reference, and all that others did with theirs is over.
	// Readers that hold none may be on the object.
	[[nodiscard]] bool put() noexcept
	{
		return references_.put();
	}
	// After the last put.
	retired<T> retire() noexcept
	{
		return retired<T>(static_cast<T *>(this));
	}
	// Unpublished, and not retired before its last put: the reference of what was
	// published is the caller's now. Null stays null.
	[[nodiscard]] static T *keep(retired<T> unpublished) noexcept
	{
		return kstd::exchange<T *>(unpublished.object_, nullptr);
	}

      private:
	ref_count references_;
};

} // namespace nmiprof
