// SPDX-License-Identifier: GPL-2.0-only
// Hardware counters, one for each sampled CPU, as the source of the profile's samples
// instead of the timers (spec C2): where a PMU is, its overflows come without a sender.
// The kernel's perf programs them and takes their NMIs; each overflow is handed to
// the registry's handlers (nmi_entry.cpp).
#pragma once

#include "context.hpp"
#include "kstd/result.hpp"
#include "shim/counter.h"
#include "shim/cpu.h"
#include "shim/memory.h"

namespace nmiprof {

class counters {
	using u64 = kstd::uint64_t;

      public:
	// For the CPUs of which wanted(cpu) is true; none counts yet. errc: no_memory,
	// no_device (no PMU that interrupts). CPUs held.
	template <class F>
	static kstd::result<counters *> make(const may_sleep &sleep, u64 rate_hz, F wanted) noexcept
	{
		counters *set = allocate(sleep, rate_hz);
		kstd::errc failed = set ? kstd::errc::ok : kstd::errc::no_memory;

		for (unsigned int cpu = 0; failed == kstd::errc::ok && cpu < shim_nr_cpu_ids();
		     cpu++)
			if (wanted(cpu))
				failed = set->create(sleep, cpu).error();
		if (failed == kstd::errc::ok)
			return set;
		destroy(sleep, set);
		return failed;
	}
	// Null is allowed. On return no NMI hands over an overflow of these.
	static void destroy(const may_sleep &, counters *set) noexcept;

	void start(const may_sleep &) noexcept;

	// A CPU comes online or goes offline. errc: those of make().
	kstd::result<void> add(const may_sleep &, unsigned int cpu) noexcept;
	void remove(const may_sleep &, unsigned int cpu) noexcept;

      private:
	static counters *allocate(const may_sleep &, u64 rate_hz) noexcept;
	kstd::result<void> create(const may_sleep &, unsigned int cpu) noexcept;

	u64 rate_hz_ = 0;
	struct perf_event *of_[]; // by CPU, null: none; shim_nr_cpu_ids()
};

} // namespace nmiprof
