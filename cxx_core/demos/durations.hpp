// SPDX-License-Identifier: GPL-2.0-only
// How long something took, each time: sum, longest, and how often by powers of two.
// Any number of writers; a reader's figures may be of different moments.
#pragma once

#include "demos/durations.h"
#include "kstd/atomic.hpp"

namespace rcu_demo {

class durations {
	using u64 = kstd::uint64_t;

      public:
	static constexpr unsigned int buckets = DEMO_BUCKETS;

	void add(u64 ns) noexcept
	{
		count_.add_relaxed(1);
		sum_ns_.add_relaxed(ns);
		bucket_[bucket_of(ns)].add_relaxed(1);
		for (u64 was = longest_ns_.load_relaxed();
		     ns > was && !longest_ns_.compare_exchange(was, ns);
		     was = longest_ns_.load_relaxed())
			;
	}
	// Nobody adds meanwhile.
	void reset() noexcept
	{
		count_.store_relaxed(0);
		sum_ns_.store_relaxed(0);
		longest_ns_.store_relaxed(0);
		for (kstd::atomic<u64> &bucket : bucket_)
			bucket.store_relaxed(0);
	}
	u64 count() const noexcept
	{
		return count_.load_relaxed();
	}
	u64 mean_ns() const noexcept
	{
		const u64 n = count();

		return n ? sum_ns_.load_relaxed() / n : 0;
	}
	u64 longest_ns() const noexcept
	{
		return longest_ns_.load_relaxed();
	}
	// How many took [2^i, 2^(i+1)) us; the first also less, the last also more.
	u64 in_bucket(unsigned int i) const noexcept
	{
		return bucket_[i].load_relaxed();
	}

	void copy(demo_durations &to) const noexcept
	{
		to.count = count();
		to.mean_ns = mean_ns();
		to.longest_ns = longest_ns();
		for (unsigned int i = 0; i < buckets; i++)
			to.bucket[i] = in_bucket(i);
	}

      private:
	static unsigned int bucket_of(u64 ns) noexcept
	{
		const u64 us = ns / 1000;
		const unsigned int log =
			us ? 63 - static_cast<unsigned int>(__builtin_clzl(us)) : 0;

		return log < buckets ? log : buckets - 1;
	}

	kstd::atomic<u64> count_, sum_ns_, longest_ns_;
	kstd::atomic<u64> bucket_[buckets];
};

} // namespace rcu_demo
