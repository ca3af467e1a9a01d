// SPDX-License-Identifier: GPL-2.0-only
// perf's events on the NMI stream: a consumer like the profile.
//
//	open_    all events that perf's users have opened; the shortest of their periods
//	         is what perf asks of the timer (control.hpp)
//	active   of each CPU (cpu.hpp): those that perf has scheduled in there now, which
//	         the NMIs of that CPU serve
//
// perf changes a CPU's active events on that CPU, with interrupts off; only an NMI of
// the same CPU can come in between, and runs to its end first. So each change is one
// store, and when stop() returns no NMI serves the event: no grace period is needed.
//
// perf copies an event for each child of a task, in fork(), and closes events in exit(),
// with its own locks held, which CPU hotplug takes, too. Therefore inheriting, closing
// and a new period take no lock: a copy is in no list and has its whole's period; the
// other two are asked for, and take effect with the next take_changes().
#pragma once

#include "divider.hpp"
#include "kstd/atomic.hpp"
#include "kstd/result.hpp"
#include "nmiprof_core.h"
#include "registry.hpp"

struct nmiprof_event {
	struct perf_event *perf;
	kstd::uint32_t flags; // enum nmiprof_event_flags
	// Itself, or the event that this is a copy of, which lives longer: perf holds it.
	nmiprof_event *whole;
	kstd::atomic<kstd::uint64_t> period_ns; // of a whole

	// The CPU's on which it is active.
	nmiprof::divider divider;
	kstd::atomic<nmiprof_event *> next_active;

	// Asked for, of a whole.
	kstd::atomic<kstd::uint64_t> asked_ns; // a new period; 0: never
	nmiprof_event *next_closed;

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
	// A copy of `of`. errc: no_memory.
	static kstd::result<nmiprof_event *> inherit(const may_sleep &, nmiprof_event &of,
						     struct perf_event *perf,
						     kstd::uint32_t flags) noexcept;
	// A copy is freed at once, a whole by take_changes().
	void close(const may_sleep &, nmiprof_event *event) noexcept;
	static void ask_period(nmiprof_event &event, u64 period_ns) noexcept
	{
		event.whole->asked_ns.store_relaxed(period_ns);
	}
	// What was asked for takes effect, but for the timer.
	void take_changes(const update_lock &, const may_sleep &) noexcept;

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
	static nmiprof_event *allocate(struct perf_event *perf, kstd::uint32_t flags) noexcept;
	void added(u64 period_ns) noexcept;
	void removed(u64 period_ns) noexcept;
	void unlink(nmiprof_event &event) noexcept;
	void set_period(nmiprof_event &event, u64 period_ns) noexcept;

	kstd::atomic<nmiprof_event *> closed_; // a stack; anybody pushes, update_lock takes all

	// update_lock
	nmiprof_event *open_ = nullptr;
	u64 shortest_ = 0;
	u64 as_short_ = 0; // events that have the shortest period

	kstd::atomic<kstd::uint32_t> budget_percent_{25}; // as kernel.perf_cpu_time_max_percent
};

} // namespace nmiprof
