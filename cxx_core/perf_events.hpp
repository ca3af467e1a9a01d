// SPDX-License-Identifier: GPL-2.0-only
// perf's events on the NMI stream: a consumer like the profile.
//
//	open_    all events that exist; the shortest of their periods is what perf asks
//	         of the timer (control.hpp)
//	active   of each CPU (cpu.hpp): those that perf has scheduled in there now, which
//	         the NMIs of that CPU serve
//
// perf changes a CPU's active events on that CPU, with interrupts off; only an NMI of
// the same CPU can come in between, and runs to its end first. So each change is one
// store, and when stop() returns no NMI serves the event: no grace period is needed.
#pragma once

#include "divider.hpp"
#include "kstd/atomic.hpp"
#include "kstd/result.hpp"
#include "nmiprof_core.h"
#include "registry.hpp"

struct nmiprof_event {
	struct perf_event *perf;
	kstd::atomic<kstd::uint64_t> period_ns;
	kstd::atomic<kstd::uint64_t> asked_ns; // a new period that awaits take_asked()
	kstd::uint32_t flags; // enum nmiprof_event_flags

	// The CPU's on which it is active.
	nmiprof::divider divider;
	kstd::atomic<nmiprof_event *> next_active;

	// update_lock
	nmiprof_event *next_open, *previous_open;
};

namespace nmiprof {

class perf_events {
	using u64 = kstd::uint64_t;

      public:
	// The handler for registry::add().
	static unsigned int on_nmi(void *context, const nmiprof_nmi *nmi) noexcept;

	// errc: no_memory.
	kstd::result<nmiprof_event *> open(const update_lock &, const may_sleep &,
					   struct perf_event *perf, u64 period_ns,
					   kstd::uint32_t flags) noexcept;
	void close(const update_lock &, const may_sleep &, nmiprof_event *event) noexcept;
	// From now on the periods that were asked for are the events' own.
	void take_asked(const update_lock &) noexcept;

	// The shortest period of all; 0: there are no events.
	u64 shortest(const update_lock &) const noexcept
	{
		return shortest_;
	}

	// On the CPU that `cpu` is the state of, interrupts off.
	void start(const irq_context &, nmiprof_cpu &cpu, nmiprof_event &event) noexcept;
	void stop(const irq_context &, nmiprof_cpu &cpu, nmiprof_event &event) noexcept;

	// Percent of a CPU's time that samples may take; 0: no limit. Any context.
	void set_budget(kstd::uint32_t percent) noexcept
	{
		budget_percent_.store_relaxed(percent);
	}
	kstd::uint32_t budget() const noexcept
	{
		return budget_percent_.load_relaxed();
	}

      private:
	void added(u64 period_ns) noexcept;
	void removed(u64 period_ns) noexcept;
	void set_period(nmiprof_event &event, u64 period_ns) noexcept;

	// update_lock
	nmiprof_event *open_ = nullptr;
	u64 shortest_ = 0;
	u64 as_short_ = 0; // events that have the shortest period

	kstd::atomic<kstd::uint32_t> budget_percent_{25}; // as kernel.perf_cpu_time_max_percent
};

} // namespace nmiprof
