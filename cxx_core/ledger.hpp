// SPDX-License-Identifier: GPL-2.0-only
// The ledger: what fell due, what was sent, what came, what was counted, and a
// name for every difference (spec B4, C5). At any moment, for each CPU and in all:
//
//	due     = sent + coalesced + skipped_*
//	sent    = handled + outstanding + lost_*
//	samples = binned + user + idle + no_buffer + out_of_range
//	perf_due = perf_delivered + perf_excluded + perf_throttled
//	binned  = the bins of all buffers drained or live + discarded
//
// That what is read is of one moment is checked by spin: kunit_tests/model/ledger.pml.
//
// No term is computed from the others: due comes from the clock, sent from the
// senders, handled from the NMIs, overflows from a PMU, samples from the profile, its parts from the
// slabs.
#pragma once

#include "context.hpp"
#include "kstd/result.hpp"

namespace nmiprof {

enum class term : unsigned int {
	due,
	sent,
	coalesced,
	skipped_overrun,
	skipped_offline,
	skipped_unwanted,
	skipped_stopped,
	handled,
	outstanding,
	lost_offline,
	lost_timeout,
	late,
	foreign,
	overflows,
	samples,
	binned,
	user,
	idle,
	no_buffer,
	out_of_range,
	perf_due,
	perf_delivered,
	perf_excluded,
	perf_throttled,
	count
};

inline constexpr unsigned int terms = static_cast<unsigned int>(term::count);

inline constexpr const char *term_names[terms] = {
	"due",
	"sent",
	"coalesced",
	"skipped_overrun",
	"skipped_offline",
	"skipped_unwanted",
	"skipped_stopped",
	"handled",
	"outstanding",
	"lost_offline",
	"lost_timeout",
	"late",
	"foreign",
	"overflows",
	"samples",
	"binned",
	"user",
	"idle",
	"no_buffer",
	"out_of_range",
	"perf_due",
	"perf_delivered",
	"perf_excluded",
	"perf_throttled",
};

struct ledger {
	kstd::uint64_t value[terms] = {};

	kstd::uint64_t &operator[](term t) noexcept
	{
		return value[static_cast<unsigned int>(t)];
	}
	void add(const ledger &other) noexcept
	{
		for (unsigned int i = 0; i < terms; i++)
			value[i] += other.value[i];
	}
};

// The ledger of one CPU, all terms of one moment, while NMIs arrive. errc: again
// (the CPU or its sender stood still inside an update for a second).
kstd::result<ledger> read_ledger(const update_lock &, const may_sleep &, unsigned int cpu) noexcept;

} // namespace nmiprof
