// SPDX-License-Identifier: GPL-2.0-only
// Which ticks are samples of a consumer whose period is longer than theirs: as many
// of them as keeps its rate, evenly spread. By ticks and not by the clock, so that a
// task that runs a tenth of the time takes a tenth of the samples, wherever in the
// period it runs. Idea: Bresenham's line.
#pragma once

#include "kstd/types.hpp"

namespace nmiprof {

class divider {
	using u64 = kstd::uint64_t;

      public:
	// One more tick, which stands for `tick_ns`: is it a sample for somebody who
	// wants one every `period_ns`? Not shorter than a tick, but for a moment while
	// rates change: a tick is one sample at most. Writer: one CPU's NMI handler.
	bool take(u64 tick_ns, u64 period_ns) noexcept
	{
		const u64 saved = saved_ + tick_ns;

		if (saved < period_ns) {
			saved_ = saved;
			return false;
		}
		saved_ = saved - period_ns < period_ns ? saved - period_ns : 0;
		return true;
	}

      private:
	u64 saved_ = 0; // ns of ticks since the last sample
};

} // namespace nmiprof
