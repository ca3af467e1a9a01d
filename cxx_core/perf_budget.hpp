// SPDX-License-Identifier: GPL-2.0-only
// How much of a CPU's time perf samples may take. perf has a throttle of its own, but
// not on this path. A share that is exceeded halves the rate on this CPU, again and
// again; when a quarter of it would do, the rate is doubled again.
#pragma once

#include "kstd/atomic.hpp"

namespace nmiprof {

// Of one CPU; writer: its NMI handler.
class perf_budget {
	using u32 = kstd::uint32_t;
	using u64 = kstd::uint64_t;

      public:
	static constexpr u32 max_shift = 10;

	// One sample in 2^shift() is to be taken.
	u32 shift() const noexcept
	{
		return shift_.get();
	}

	// The full rate again. While no handler uses it.
	void reset() noexcept
	{
		shift_.set(0);
	}

	// A sample took from `began` to `ended`, of shim_cycles(). True: the rate has
	// just been lowered. percent 0: no limit.
	bool spent(u32 began, u32 ended, u32 percent) noexcept
	{
		busy_ += ended - began;
		all_ += ended - last_;
		last_ = ended;
		if (all_ < window)
			return false;

		const bool over = percent && busy_ * 100 > all_ * percent;
		const bool under = !percent || busy_ * 400 < all_ * percent;

		busy_ = all_ = 0;
		if (over && shift_.get() < max_shift) {
			shift_.set(shift_.get() + 1);
			return true;
		}
		if (under && shift_.get())
			shift_.set(shift_.get() - 1);
		return false;
	}

      private:
	// Cycles to judge by: some 100 ms. shim_cycles() comes round at 16 times that, so
	// a longer pause counts for less, which at such rates does not matter.
	static constexpr u64 window = u64{1} << 28;

	u64 busy_ = 0, all_ = 0;
	u32 last_ = 0;
	kstd::local_counter<u32> shift_;
};

} // namespace nmiprof
