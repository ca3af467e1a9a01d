// SPDX-License-Identifier: GPL-2.0-only
// What a user can set, and the sampler's life: settings are validated as a whole,
// then everything is made that the change needs, and only then does it take
// effect, in steps that cannot fail. A refused change leaves all as it was and
// says why in the log.
//
//	off  --enable-->  on: handler registered, buffer counting, timers running
//	on   --disable->  off: timers stopped, last NMI awaited, buffer kept
//	on   --suspend->  paused: as off, but resume goes back to on
//
// The timers serve two consumers: the profile while it is on, at its rate on its CPUs,
// and perf while it has events, at the shortest of their periods on all CPUs. The
// faster one sets the period of the ticks, the other takes some of them (divider.hpp).
// From a PMU the profile has counters of its own (counters.hpp), and the timers serve perf.
//
// In steps, as in kunit_tests/model/claim.pml:
//	CPU goes offline  H1 follow() without it, H2 settle_cpu(); H3 the kernel takes it away
//	comes online      H4 settle_cpu(), H5 follow() with it
//	disable, unload   U1 follow(nullptr), U2 settle(), U3 handlers.remove(), profile.stop();
//	                  then module/main.c: U4 no more CPU events, U5 the NMI handlers are
//	                  unregistered, U6 memory is freed
//
// Locks: CPUs are held (shim_cpus_lock, or by the kernel in a hotplug callback),
// then the update lock is taken.
#pragma once

#include "counters.hpp"
#include "cpu_set.hpp"
#include "nmi_timer.hpp"
#include "perf_events.hpp"
#include "profile.hpp"

namespace nmiprof {

inline constexpr kstd::uint64_t min_rate_hz = 1, max_rate_hz = 100'000;
// Of a perf event: an hour. What it is multiplied by when throttled must fit, too.
inline constexpr kstd::uint64_t longest_period_ns = 3600ull * 1'000'000'000;

struct settings {
	kstd::uint64_t rate_hz = 997; // prime: not in step with anything periodic
	kstd::uint64_t bytes_per_bin = 0; // 0: automatic
	layout how = layout::per_cpu;
	bool all_cpus = true;
	cpu_set cpus; // when not all_cpus
	bool from_pmu = false; // a hardware counter feeds the profile, not the timers
};

class control {
      public:
	// Once, before all else. `text` 0, 0: unknown, everything is counted by
	// address, as text outside the image is.
	void init(const may_sleep &, kstd::uint64_t text_start, kstd::uint64_t text_end,
		  const memory_limits &limits) noexcept;

	// cpus_given: the CPU list is new, and must name online CPUs only. errc: range,
	// invalid, no_device, no_memory. CPUs held.
	kstd::result<void> apply(const update_lock &, const may_sleep &, const settings &s,
				 bool cpus_given) noexcept;
	const settings &current(const update_lock &) const noexcept
	{
		return settings_;
	}

	// errc: those of apply(), and of registry::add(). CPUs held.
	kstd::result<void> enable(const update_lock &, const may_sleep &) noexcept;
	// On return no NMI of ours is on its way, unless another module asks for one.
	void disable(const update_lock &, const may_sleep &) noexcept;
	bool enabled(const update_lock &) const noexcept
	{
		return on_;
	}

	// Hotplug callbacks. errc: no_memory; `cpu` is then sampled no more, or goes
	// on being sampled.
	kstd::result<void> cpu_online(const update_lock &, const may_sleep &,
				      unsigned int cpu) noexcept;
	kstd::result<void> cpu_offline(const update_lock &, const may_sleep &,
				       unsigned int cpu) noexcept;

	// perf events. A handler for all, from the first to the last. errc: range, those
	// of registry::add(), no_memory. Whoever opens one calls change_events() soon.
	kstd::result<nmiprof_event *> open_event(const update_lock &, const may_sleep &,
						 struct perf_event *perf, kstd::uint64_t period_ns,
						 kstd::uint32_t flags) noexcept;
	// errc: range.
	static kstd::result<void> ask_event_period(nmiprof_event &event,
						   kstd::uint64_t period_ns) noexcept;
	// Events that were opened or closed, and new periods: the timers follow. CPUs held.
	void change_events(const update_lock &, const may_sleep &) noexcept;

	void suspend(const update_lock &, const may_sleep &) noexcept;
	void resume(const update_lock &, const may_sleep &) noexcept;

	kstd::uint64_t text_start() const noexcept
	{
		return text_start_;
	}
	kstd::uint64_t text_end() const noexcept
	{
		return text_end_;
	}

      private:
	static bool wanted(const settings &s, unsigned int cpu) noexcept
	{
		return s.all_cpus || s.cpus.has(cpu);
	}
	kstd::result<geometry> validate(const settings &s) const noexcept;
	bool has_events(const update_lock &) const noexcept
	{
		return perf_handler_;
	}
	// The settings if the timers serve the profile with them.
	static const settings *timed(const settings &s) noexcept
	{
		return s.from_pmu ? nullptr : &s;
	}
	void remove_perf_handler(const update_lock &, const may_sleep &) noexcept;
	plan *make_plan(const update_lock &, const may_sleep &, const settings *profiled,
			unsigned int without) const noexcept;
	void set_profiled(const settings *s, bool changing) noexcept;
	kstd::result<void> replan(const update_lock &, const may_sleep &,
				  unsigned int without) noexcept;
	void follow(const update_lock &, const may_sleep &, plan *fresh) noexcept;
	unsigned int count_buffered(const update_lock &, const settings &s) const noexcept;
	kstd::result<void> run(const update_lock &, const may_sleep &, const settings &s,
			       const geometry &shape) noexcept;

	settings settings_; // all: update_lock
	memory_limits limits_{};
	kstd::uint64_t text_start_ = 0, text_end_ = 0;
	unsigned int handler_ = 0; // number in the registry while on_
	unsigned int perf_handler_ = 0; // the same while perf has events, else 0
	kstd::uint64_t planned_ns_ = 0; // the events' shortest period in the plan, 0: none
	counters *counters_ = nullptr; // while on_ and from a PMU
	bool on_ = false;
	bool alone_ = false; // nobody sends to the only CPU, and the log has said so
	bool suspended_ = false;
};

} // namespace nmiprof
