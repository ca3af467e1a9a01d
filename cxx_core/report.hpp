// SPDX-License-Identifier: GPL-2.0-only
// A report: what a profile buffer held, summed over CPUs, as handed to a reader
// in process context. It owns its memory and outlives the buffer.
#pragma once

#include "profile_buffer.hpp"

namespace nmiprof {

class report {
	using u64 = kstd::uint64_t;
	using u32 = kstd::uint32_t;

      public:
	struct row {
		u64 address;
		u64 total; // samples
		u64 irqs_off; // of them with interrupts off
	};

	// Room for the sum of a buffer with this shape and so many slabs. Null: no
	// memory.
	static report *make(const may_sleep &, const geometry &shape, unsigned int slabs) noexcept;
	static void destroy(const may_sleep &, report *r) noexcept;

	// Memory of one.
	static constexpr u64 bytes(const geometry &shape, u64 slabs) noexcept
	{
		return sizeof(report) + shape.nbins * sizeof(pair) +
		       slabs * outside_table::entries * sizeof(row);
	}

	// Takes the sum of `buffer`. Of a live one: what it held at some moment of
	// the walk for each bin.
	void take(const may_sleep &, const profile_buffer &buffer) noexcept;

	const geometry &shape() const noexcept
	{
		return shape_;
	}
	u64 user = 0, idle = 0, out_of_range = 0;
	// Sum of all rows.
	u64 binned = 0;

	// Row `at` of bins, 0 <= at < shape().nbins
	row bin_row(u64 at) const noexcept;
	// Rows for text outside the kernel image; an address may come once per CPU.
	u64 outside_rows() const noexcept
	{
		return outside_used_;
	}
	row outside_row(u64 at) const noexcept
	{
		return outside_[at];
	}

      private:
	// Sums over CPUs: wider than the counters.
	struct pair {
		u64 total, irqs_off;
	};
	geometry shape_;
	pair *bins_ = nullptr;
	row *outside_ = nullptr;
	u64 outside_room_ = 0;
	u64 outside_used_ = 0;
};

} // namespace nmiprof
