// SPDX-License-Identifier: GPL-2.0-only
#include "control.hpp"

#include "core.hpp"

namespace nmiprof {

using kstd::errc;
using kstd::result;

constinit control the_control;

namespace {

constexpr unsigned int no_cpu = ~0u;
constexpr kstd::uint64_t ns_per_second = 1'000'000'000;

kstd::uint64_t period_of(const settings &s) noexcept
{
	return ns_per_second / s.rate_hz;
}

// CPUs for which there must be memory.
unsigned int count_present(const settings &s) noexcept
{
	unsigned int n = 0;

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		n += shim_cpu_present(cpu) && (s.all_cpus || s.cpus.has(cpu));
	return n;
}

} // namespace

void control::init(const may_sleep &, kstd::uint64_t text_start, kstd::uint64_t text_end,
		   const memory_limits &limits) noexcept
{
	text_start_ = text_start;
	text_end_ = text_end;
	limits_ = limits;
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (nmiprof_cpu *c = shim_cpu_state(cpu)) {
			c->id = cpu;
			c->due.stop();
		}
}

result<geometry> control::validate(const settings &s) const noexcept
{
	if (s.rate_hz < min_rate_hz || s.rate_hz > max_rate_hz) {
		shim_log_refused("rate_hz %lu: must be %lu to %lu", s.rate_hz, min_rate_hz,
				 max_rate_hz);
		return errc::range;
	}
	bool any = false;

	for (unsigned int cpu = 0; !s.all_cpus && cpu < cpu_set::max_cpus; cpu++) {
		if (!s.cpus.has(cpu))
			continue;
		any = true;
		if (cpu >= shim_nr_cpu_ids() || !shim_cpu_present(cpu)) {
			shim_log_refused("cpus: there is no CPU %u", cpu);
			return errc::invalid;
		}
	}
	if (!s.all_cpus && !any) {
		shim_log_refused("cpus: the list is empty");
		return errc::invalid;
	}

	const unsigned int cpus = count_present(s);
	auto shape = choose_geometry(text_start_, text_end_, cpus, s.bytes_per_bin, s.how, limits_);

	if (shape.error() == errc::invalid)
		shim_log_refused("granularity %lu: must be 0 or a power of two", s.bytes_per_bin);
	else if (!shape && s.bytes_per_bin)
		shim_log_refused(
			"granularity %lu: must be %u to %u, and the buffers of %u CPUs must fit into %lu MiB",
			s.bytes_per_bin, 1u << min_shift, 1u << max_shift, cpus,
			limits_.of(cpus) >> 20);
	else if (!shape)
		shim_log_refused("buffers of %u CPUs do not fit into %lu MiB", cpus,
				 limits_.of(cpus) >> 20);
	return shape;
}

// For the profile with the settings `profiled` (null: it is off, or fed by a PMU) and for
// perf's events; one of them at least.
plan *control::make_plan(const update_lock &lock, const may_sleep &sleep, const settings *profiled,
			 unsigned int without) const noexcept
{
	const kstd::uint64_t perf_ns = the_perf_events.shortest(lock);
	const kstd::uint64_t never = ~kstd::uint64_t{0};
	const auto usable = [without](unsigned int cpu) {
		return cpu != without && shim_cpu_online(cpu);
	};

	return plan::make(
		sleep,
		kstd::min(profiled ? period_of(*profiled) : never, perf_ns ? perf_ns : never),
		[&](unsigned int cpu) {
			return usable(cpu) && (perf_ns || wanted(*profiled, cpu));
		},
		usable);
}

// Which CPUs the profile takes samples of, and how often. While the timers change from
// one plan to another: as often as the faster one says, so that each tick counts.
void control::set_profiled(const settings *s, bool changing) noexcept
{
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++) {
		nmiprof_cpu *c = shim_cpu_state(cpu);

		if (!c)
			continue;
		const kstd::uint64_t before = c->sampled_by.profile_ns.load_relaxed();
		kstd::uint64_t period_ns = s && wanted(*s, cpu) ? period_of(*s) : 0;

		if (changing && before)
			period_ns = period_ns ? kstd::min(period_ns, before) : before;
		c->sampled_by.profile_ns.store_relaxed(period_ns);
	}
}

// Lets the timers follow what is wanted now. errc: no_memory; they go on as before.
result<void> control::replan(const update_lock &lock, const may_sleep &sleep,
			     unsigned int without) noexcept
{
	plan *fresh = nullptr;

	if (suspended_) {
		planned_ns_ = the_perf_events.shortest(lock); // resume() makes the plan
		return {};
	}
	const settings *profiled = on_ ? timed(settings_) : nullptr;

	if (profiled || the_perf_events.shortest(lock)) {
		fresh = make_plan(lock, sleep, profiled, without);
		if (!fresh)
			return errc::no_memory;
	}
	follow(lock, sleep, fresh);
	return {};
}

// The timers go by `fresh` (null: they stop), which has all that is wanted now.
void control::follow(const update_lock &lock, const may_sleep &sleep, plan *fresh) noexcept
{
	const bool alone = fresh && fresh->sampled() == 1 && !fresh->has_backup();

	if (alone && !alone_)
		shim_log_notice(
			"one CPU: it is sampled from its own timer interrupt, blind to code that runs with interrupts off");
	alone_ = alone;
	the_timer.follow(lock, sleep, fresh);
	planned_ns_ = the_perf_events.shortest(lock);
}

// CPUs that the live buffer has memory for, or that `s` wants it to: who leaves the list keeps
// what was counted, as long as all fit into the limits.
unsigned int control::count_buffered(const update_lock &lock, const settings &s) const noexcept
{
	const profile_buffer *live = the_profile.live(lock);
	unsigned int n = 0;

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		n += shim_cpu_present(cpu) && (wanted(s, cpu) || (live && live->of(cpu)));
	return n;
}

// Makes all that `s` needs, then lets it take effect. Sampling is on afterwards.
result<void> control::run(const update_lock &lock, const may_sleep &sleep, const settings &s,
			  const geometry &shape) noexcept
{
	const auto sampled = [&](unsigned int cpu) {
		return shim_cpu_online(cpu) && wanted(s, cpu);
	};
	const bool needs_plan = timed(s) || the_perf_events.shortest(lock);
	plan *fresh_plan = needs_plan ? make_plan(lock, sleep, timed(s), no_cpu) : nullptr;
	profile_buffer *fresh_buffer = nullptr;
	counters *fresh_counters = nullptr;
	errc failed = fresh_plan || !needs_plan ? errc::ok : errc::no_memory;

	// Of a list that was sampled before, all may have gone offline since, to come back.
	bool any = on_;

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		any |= sampled(cpu);
	if (failed == errc::ok && !any) {
		shim_log_refused("cpus: all of them are offline");
		failed = errc::no_device;
	}
	if (failed == errc::ok && s.from_pmu) {
		auto made = counters::make(sleep, s.rate_hz, sampled);

		failed = made.error();
		fresh_counters = made.value();
	}
	const bool keep =
		the_profile.shape(lock) == shape && fits(shape, count_buffered(lock, s), limits_);

	if (failed == errc::ok && !keep) {
		fresh_buffer = the_profile.prepare(sleep, shape, sampled);
		failed = fresh_buffer ? errc::ok : errc::no_memory;
	} else {
		// Slabs that turn out not to be needed do no harm.
		for (unsigned int cpu = 0; failed == errc::ok && cpu < shim_nr_cpu_ids(); cpu++)
			if (sampled(cpu))
				failed = the_profile.add_cpu(lock, sleep, cpu).error();
	}
	if (failed == errc::ok) {
		const nmiprof_handler_fn fn = s.from_pmu ? profile::on_overflow : profile::on_nmi;

		if (!on_) {
			auto added = handlers.add(lock, sleep, "profile", fn, &the_profile);

			failed = added.error();
			handler_ = added.value();
		} else if (s.from_pmu != settings_.from_pmu) {
			failed = handlers.replace(lock, sleep, handler_, fn, &the_profile).error();
		}
	}
	if (failed != errc::ok) {
		plan::destroy(sleep, fresh_plan);
		profile_buffer::destroy(sleep, fresh_buffer);
		counters::destroy(sleep, fresh_counters);
		if (failed == errc::no_memory)
			shim_log_refused("no memory for the profile of %u CPUs", count_present(s));
		else if (failed != errc::no_device)
			shim_log_refused(
				"enable: the handler registry is full, or has another \"profile\"");
		return failed;
	}

	// Nothing below can fail.
	if (fresh_buffer)
		the_profile.discard_into(lock, sleep, fresh_buffer);
	if (!on_)
		the_profile.start(lock);
	on_ = true;
	set_profiled(timed(s), true);
	if (suspended_)
		counters::destroy(sleep, kstd::exchange<counters *>(fresh_counters, nullptr));
	counters::destroy(sleep, kstd::exchange(counters_, fresh_counters));
	if (counters_)
		counters_->start(sleep);
	if (suspended_) {
		plan::destroy(sleep, fresh_plan);
		planned_ns_ = the_perf_events.shortest(lock);
	} else {
		follow(lock, sleep, fresh_plan);
	}
	set_profiled(timed(s), false);
	return {};
}

result<void> control::apply(const update_lock &lock, const may_sleep &sleep, const settings &s,
			    bool cpus_given) noexcept
{
	auto shape = validate(s);

	if (!shape)
		return shape.error();
	// Of a list that was given before, CPUs may have gone offline since.
	for (unsigned int cpu = 0; cpus_given && !s.all_cpus && cpu < shim_nr_cpu_ids(); cpu++)
		if (s.cpus.has(cpu) && !shim_cpu_online(cpu)) {
			shim_log_refused("cpus: CPU %u is offline", cpu);
			return errc::no_device;
		}
	if (on_) {
		if (auto ran = run(lock, sleep, s, shape.value()); !ran)
			return ran;
	} else if (s.from_pmu && !settings_.from_pmu) {
		// Now, not only when it is enabled, one learns that there is no PMU.
		auto made = counters::make(sleep, s.rate_hz, shim_cpu_online);

		counters::destroy(sleep, made.value());
		if (!made)
			return made.error();
	}
	settings_ = s;
	return {};
}

result<void> control::enable(const update_lock &lock, const may_sleep &sleep) noexcept
{
	if (on_)
		return {};
	auto shape = validate(settings_);

	if (!shape)
		return shape.error();
	return run(lock, sleep, settings_, shape.value());
}

void control::disable(const update_lock &lock, const may_sleep &sleep) noexcept
{
	const bool was_on = kstd::exchange(on_, false);

	if (was_on && !replan(lock, sleep, no_cpu))
		shim_log_notice("no memory for a slower timer plan: perf keeps the fast one");
	// One that a change without memory had to leave.
	remove_perf_handler(lock, sleep);
	// When off as well: other modules may have asked for samples (request()).
	if (!has_events(lock))
		the_timer.settle(lock, sleep);
	if (!was_on)
		return;
	set_profiled(nullptr, false);
	counters::destroy(sleep, kstd::exchange<counters *>(counters_, nullptr));
	// No tick or overflow is a sample of the profile any more: the order of the next two does not
	// matter.
	static_cast<void>(handlers.remove(lock, sleep, handler_));
	the_profile.stop(lock, sleep);
}

result<void> control::cpu_online(const update_lock &lock, const may_sleep &sleep,
				 unsigned int cpu) noexcept
{
	// Another module may have asked for a sample while the CPU went down.
	the_timer.settle_cpu(lock, sleep, cpu);
	if (on_ && !suspended_ && wanted(settings_, cpu) &&
	    !the_profile.add_cpu(lock, sleep, cpu)) {
		shim_log_notice("CPU %u: no memory for its profile, its samples count as no_buffer",
				cpu);
	}
	auto replanned = replan(lock, sleep, no_cpu);

	// Last: without a plan the CPU does not come up.
	if (replanned && counters_ && wanted(settings_, cpu) && !counters_->add(sleep, cpu))
		shim_log_notice("CPU %u: no counter, it is not sampled", cpu);
	return replanned;
}

result<void> control::cpu_offline(const update_lock &lock, const may_sleep &sleep,
				  unsigned int cpu) noexcept
{
	if (auto replanned = replan(lock, sleep, cpu); !replanned)
		return replanned;
	if (counters_)
		counters_->remove(sleep, cpu);
	// Still online here, so it still takes NMIs.
	the_timer.settle_cpu(lock, sleep, cpu);
	return {};
}

void control::suspend(const update_lock &lock, const may_sleep &sleep) noexcept
{
	suspended_ = true;
	// resume() makes others: CPUs may change meanwhile.
	counters::destroy(sleep, kstd::exchange<counters *>(counters_, nullptr));
	the_timer.follow(lock, sleep, nullptr);
	the_timer.settle(lock, sleep);
}

void control::resume(const update_lock &lock, const may_sleep &sleep) noexcept
{
	suspended_ = false;
	if (!on_) {
		if (!replan(lock, sleep, no_cpu))
			shim_log_notice(
				"perf's events could not be resumed after suspend: no memory");
		return;
	}
	// As enabling again: CPUs may have changed meanwhile.
	auto shape = validate(settings_);

	if (!shape || !run(lock, sleep, settings_, shape.value())) {
		shim_log_notice("sampling could not be resumed after suspend: it is off");
		disable(lock, sleep);
	}
}

static result<void> check_period(kstd::uint64_t period_ns) noexcept
{
	constexpr kstd::uint64_t shortest = ns_per_second / max_rate_hz;

	if (period_ns >= shortest && period_ns <= longest_period_ns)
		return {};
	shim_log_refused("perf: period of %lu ns: must be %lu to %lu", period_ns, shortest,
			 longest_period_ns);
	return errc::range;
}

result<nmiprof_event *> control::open_event(const update_lock &lock, const may_sleep &sleep,
					    struct perf_event *perf, kstd::uint64_t period_ns,
					    kstd::uint32_t flags) noexcept
{
	if (auto good = check_period(period_ns); !good)
		return good.error();
	if (!perf_handler_) {
		// No NMI uses the budgets.
		for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
			if (nmiprof_cpu *c = shim_cpu_state(cpu))
				c->perf_budget.reset();
		auto added = handlers.add(lock, sleep, "perf", perf_events::on_nmi, nullptr);

		if (!added && added.error() != errc::no_memory)
			shim_log_refused(
				"perf: the handler registry is full, or has another \"perf\"");
		if (!added)
			return added.error();
		perf_handler_ = added.value();
	}
	auto event = the_perf_events.open(lock, sleep, perf, period_ns, flags);

	if (!event)
		remove_perf_handler(lock, sleep);
	return event;
}

// Unless it is needed. Not before the ticks are the profile's alone: without it they take
// a way that counts each of them (nmi_entry.cpp).
void control::remove_perf_handler(const update_lock &lock, const may_sleep &sleep) noexcept
{
	if (perf_handler_ && !planned_ns_ && !the_perf_events.shortest(lock))
		static_cast<void>(handlers.remove(lock, sleep, kstd::exchange(perf_handler_, 0u)));
}

result<void> control::ask_event_period(nmiprof_event &event, kstd::uint64_t period_ns) noexcept
{
	auto good = check_period(period_ns);

	if (good)
		perf_events::ask_period(event, period_ns);
	return good;
}

void control::change_events(const update_lock &lock, const may_sleep &sleep) noexcept
{
	the_perf_events.take_changes(lock, sleep);
	if (the_perf_events.shortest(lock) != planned_ns_ && !replan(lock, sleep, no_cpu))
		shim_log_notice("no memory for a new timer plan: perf's events keep the old one");
	remove_perf_handler(lock, sleep);
}

} // namespace nmiprof
