// SPDX-License-Identifier: GPL-2.0-only
// perf's events as consumers of the NMI stream, beside the profile and without it.
#include "core_test.hpp"

namespace {

class perf_events_test : public core_test {
      protected:
	// A perf_event is opaque to the core: any address will do.
	perf_event *as_perf(u64 n)
	{
		return reinterpret_cast<perf_event *>(&places.at(n));
	}
	nmiprof_event *open(u64 hz, u32 flags = 0)
	{
		return open_period(second / hz, flags);
	}
	nmiprof_event *open_period(u64 period_ns, u32 flags = 0)
	{
		nmiprof_event *e = nullptr;

		error = nmiprof_core_event_open(as_perf(opened), period_ns, flags, &e);
		if (error)
			return nullptr;
		change_events();
		opened++;
		return e;
	}
	void close(nmiprof_event *e)
	{
		nmiprof_core_event_close(e);
		change_events();
	}
	int set_period(nmiprof_event *e, u64 period_ns)
	{
		const int err = nmiprof_core_event_period(e, period_ns);

		change_events();
		return err;
	}
	void start(nmiprof_event *e, unsigned int cpu)
	{
		sim::in_context irq(sim::context::irq);

		nmiprof_core_event_start(e, cpu);
	}
	void stop(nmiprof_event *e, unsigned int cpu)
	{
		sim::in_context irq(sim::context::irq);

		nmiprof_core_event_stop(e, cpu);
	}
	u64 samples(const nmiprof_event *e, unsigned int cpu)
	{
		u64 n = 0;

		for (const auto &s : m().perf_samples)
			n += s.cpu == cpu && s.event == e->perf;
		return n;
	}
	u64 timer_runs()
	{
		u64 n = 0;

		for (const sim::cpu &c : m().cpus)
			n += c.timer_runs;
		return n;
	}

	u64 opened = 0;
	int error = 0;
	std::vector<char> places = std::vector<char>(64);
};

} // namespace

TEST_F(perf_events_test, an_event_samples_the_cpu_where_it_is_active_and_no_other)
{
	nmiprof_event *e = open(1000);

	start(e, 2);
	m().run(second);
	EXPECT_NEAR(double(samples(e, 2)), 1000, 3);
	EXPECT_EQ(m().perf_samples.size(), samples(e, 2));
	EXPECT_EQ(m().cpus[0].nmis, 0u); // nobody wants to see those
	EXPECT_EQ(m().cpus[1].nmis, 0u);
	EXPECT_NEAR(double(ledger_of(0)[term::skipped_unwanted]), 1000, 3);
	EXPECT_EQ(ledger_of(2)[term::skipped_unwanted], 0u);
	stop(e, 2);
	const u64 before = m().perf_samples.size();

	m().run(second);
	EXPECT_EQ(m().perf_samples.size(), before);
	check_ledger();
	close(e);
}

TEST_F(perf_events_test, on_the_only_cpu_the_log_says_that_it_is_blind)
{
	boot(1);
	nmiprof_event *e = open(1000);

	ASSERT_EQ(m().notices.size(), 1u);
	EXPECT_NE(m().notices[0].find("blind"), std::string::npos);
	close(open(2000));
	EXPECT_EQ(m().notices.size(), 1u);
	close(e);
}

TEST_F(perf_events_test, nothing_runs_before_the_first_event_and_after_the_last)
{
	m().run(second);
	EXPECT_EQ(timer_runs(), 0u);
	nmiprof_event *a = open(1000), *b = open(100);

	start(a, 0);
	start(b, 0);
	m().run(second);
	stop(a, 0);
	close(a);
	const u64 with_both = timer_runs();

	m().run(second); // the ticks are as slow as what is left allows
	EXPECT_NEAR(double(timer_runs() - with_both), 100.0 * double(m().cpus.size()), 10);
	stop(b, 0);
	close(b);
	const u64 with_none = timer_runs();

	m().run(second);
	EXPECT_EQ(timer_runs(), with_none);
	check_ledger();
	char name[32];

	EXPECT_EQ(nmiprof_core_handler_name(1, name, sizeof(name)), -2);
}

TEST_F(perf_events_test, events_of_different_rates_on_one_cpu)
{
	nmiprof_event *e[] = {open(4999), open(997), open(99), open(7)};
	const double hz[] = {4999, 997, 99, 7};

	for (nmiprof_event *one : e)
		start(one, 1);
	m().run(10 * second);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_NEAR(double(samples(e[i], 1)), hz[i] * 10, 2 + hz[i] * 0.02) << hz[i];
	for (nmiprof_event *one : e) {
		stop(one, 1);
		close(one);
	}
	check_ledger();
}

TEST_F(perf_events_test, beside_the_profile_each_keeps_its_rate)
{
	for (u64 profile_hz : {97u, 997u, 4999u}) {
		boot(4);
		ASSERT_EQ(set_rate(profile_hz), 0);
		ASSERT_EQ(enable(), 0);
		nmiprof_event *e = open(1000);

		start(e, 1);
		m().run(10 * second);
		EXPECT_NEAR(double(samples(e, 1)), 10'000, 100) << profile_hz;
		for (unsigned int cpu = 0; cpu < 4; cpu++)
			EXPECT_NEAR(double(ledger_of(cpu)[term::samples]), double(profile_hz * 10),
				    double(profile_hz) / 10 + 3)
				<< profile_hz << " CPU " << cpu;
		stop(e, 1);
		close(e);
		check_ledger();
		disable();
		m().perf_samples.clear();
	}
}

TEST_F(perf_events_test, the_profile_comes_and_goes_while_events_run)
{
	nmiprof_event *e = open(1000);

	start(e, 1);
	for (unsigned int i = 0; i < 5; i++) {
		ASSERT_EQ(enable(), 0);
		m().run(second);
		disable();
		m().run(second);
	}
	EXPECT_NEAR(double(samples(e, 1)), 10'000, 100);
	EXPECT_NEAR(double(ledger_of(1)[term::samples]), 5 * 997, 30);
	stop(e, 1);
	close(e);
	check_ledger();
}

TEST_F(perf_events_test, the_profile_does_not_see_cpus_that_it_does_not_sample)
{
	ASSERT_EQ(set_cpus({0}), 0);
	ASSERT_EQ(enable(), 0);
	nmiprof_event *e = open(997);

	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		nmiprof_event *one = cpu ? open(997) : e;

		start(one, cpu);
		m().run(second);
		EXPECT_NEAR(double(samples(one, cpu)), 997, 3);
		stop(one, cpu);
		close(one);
	}
	EXPECT_EQ(ledger_of(1)[term::samples], 0u);
	EXPECT_EQ(ledger_of(1)[term::no_buffer], 0u);
	check_ledger();
}

// A task that runs a tenth of the time, in slices shorter than a period, takes a tenth
// of the samples.
TEST_F(perf_events_test, a_task_in_short_slices_gets_its_share)
{
	nmiprof_event *e = open(1000);

	for (unsigned int i = 0; i < 10'000; i++) {
		const unsigned int cpu = i % 3;

		start(e, cpu);
		m().run(103 * us);
		stop(e, cpu);
		m().run(900 * us);
	}
	EXPECT_NEAR(double(m().perf_samples.size()), 1030, 150);
	close(e);
	check_ledger();
}

TEST_F(perf_events_test, what_is_excluded_is_counted)
{
	const struct {
		u32 flags, how;
		bool taken;
	} cases[] = {
		{0, 0, true},
		{0, NMIPROF_USER, true},
		{0, NMIPROF_IDLE, true},
		{NMIPROF_EVENT_NO_USER, NMIPROF_USER, false},
		{NMIPROF_EVENT_NO_USER, 0, true},
		{NMIPROF_EVENT_NO_KERNEL, 0, false},
		{NMIPROF_EVENT_NO_KERNEL, NMIPROF_IRQS_OFF, false},
		{NMIPROF_EVENT_NO_KERNEL, NMIPROF_USER, true},
		{NMIPROF_EVENT_NO_IDLE, NMIPROF_IDLE | NMIPROF_IDLE_TASK, false},
		// An interrupt on top of it.
		{NMIPROF_EVENT_NO_IDLE, NMIPROF_IDLE_TASK | NMIPROF_IRQS_OFF, false},
		{NMIPROF_EVENT_NO_IDLE, 0, true},
		{NMIPROF_EVENT_IRQS_OFF, 0, false},
		{NMIPROF_EVENT_IRQS_OFF, NMIPROF_USER, false},
		{NMIPROF_EVENT_IRQS_OFF, NMIPROF_IRQS_OFF, true},
	};

	for (const auto &c : cases) {
		SCOPED_TRACE(std::to_string(c.flags) + " " + std::to_string(c.how));
		boot(2);
		nmiprof_event *e = open(1000, c.flags);

		m().cpus[1].where.how = c.how;
		start(e, 1);
		m().run(100 * ms);
		EXPECT_EQ(samples(e, 1) != 0, c.taken);
		EXPECT_EQ(ledger_of(1)[term::perf_excluded] == 0, c.taken);
		EXPECT_GT(ledger_of(1)[term::perf_due], 90u);
		check_ledger();
		stop(e, 1);
		close(e);
		m().perf_samples.clear();
	}
}

TEST_F(perf_events_test, a_sample_says_what_it_stands_for)
{
	nmiprof_event *e = open_period(3 * ms);

	start(e, 0);
	m().run(100 * ms);
	ASSERT_FALSE(m().perf_samples.empty());
	for (const auto &s : m().perf_samples)
		EXPECT_EQ(s.period_ns, 3 * ms);
	stop(e, 0);
	close(e);
}

TEST_F(perf_events_test, over_budget_the_rate_is_lowered_and_all_is_counted)
{
	nmiprof_event *e = open(1000);

	m().perf_sample_ns = 400 * us; // 40 % of the time, where 25 % is allowed
	start(e, 1);
	m().run(10 * second);
	nmiprof::ledger l = ledger_of(1);

	EXPECT_GT(l[term::perf_throttled], 2000u);
	EXPECT_LT(l[term::perf_delivered], 7000u);
	EXPECT_FALSE(m().notices.empty());
	check_ledger();
	// What the samples stand for, together, is the time.
	u64 sum = 0;

	for (const auto &s : m().perf_samples)
		sum += s.period_ns;
	EXPECT_NEAR(double(sum), double(10 * second), double(second) / 10);

	// When samples become cheap, the rate comes back.
	m().perf_sample_ns = 1 * us;
	m().run(5 * second);
	const u64 before = samples(e, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - before), 1000, 3);

	// No limit.
	m().perf_sample_ns = 400 * us;
	nmiprof_core_set_perf_budget(0);
	m().run(5 * second);
	const u64 unlimited = samples(e, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - unlimited), 1000, 3);
	EXPECT_EQ(nmiprof_core_perf_budget(), 0u);
	nmiprof_core_set_perf_budget(25);
	stop(e, 1);
	close(e);
	check_ledger();
}

TEST_F(perf_events_test, a_period_can_change_while_the_event_is_active)
{
	nmiprof_event *e = open(1000);

	start(e, 1);
	m().run(second);
	ASSERT_EQ(set_period(e, 10 * ms), 0);
	const u64 before = samples(e, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - before), 100, 2);
	ASSERT_EQ(set_period(e, 200 * us), 0);
	const u64 then = samples(e, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - then), 5000, 10);
	EXPECT_EQ(set_period(e, 1), -34);
	stop(e, 1);
	close(e);
	check_ledger();
}

// Whoever asks may hold perf's locks: that takes none, and waits for nobody.
TEST_F(perf_events_test, a_new_period_waits_until_it_is_taken)
{
	nmiprof_event *e = open(1000);

	start(e, 1);
	m().run(second);
	const u64 locks = m().update_locks, before = samples(e, 1);

	ASSERT_EQ(nmiprof_core_event_period(e, 10 * ms), 0);
	EXPECT_EQ(m().update_locks, locks);
	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - before), 1000, 2);

	// Without memory for a slower plan the ticks stay, of which it takes its share.
	m().fail_allocations = true;
	change_events();
	m().fail_allocations = false;
	EXPECT_EQ(m().notices.size(), 1u);
	const u64 then = samples(e, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - then), 100, 2);
	stop(e, 1);
	close(e);
	check_ledger();
}

// fork() copies an event with perf's locks held, and exit() gives the copy back.
TEST_F(perf_events_test, a_copy_takes_no_lock_and_follows_its_whole)
{
	nmiprof_event *e = open(1000), *copy = nullptr, *copy_of_copy = nullptr;
	const u64 locks = m().update_locks;

	ASSERT_EQ(nmiprof_core_event_inherit(e, as_perf(5), 0, &copy), 0);
	ASSERT_EQ(nmiprof_core_event_inherit(copy, as_perf(6), 0, &copy_of_copy), 0);
	EXPECT_EQ(m().update_locks, locks);
	start(copy, 1);
	start(copy_of_copy, 2);
	m().run(second);
	EXPECT_NEAR(double(samples(copy, 1)), 1000, 2);
	EXPECT_NEAR(double(samples(copy_of_copy, 2)), 1000, 2);
	EXPECT_EQ(samples(e, 1), 0u);

	ASSERT_EQ(set_period(copy, 10 * ms), 0);
	const u64 before = samples(copy, 1);

	m().run(second);
	EXPECT_NEAR(double(samples(copy, 1) - before), 100, 2);
	stop(copy, 1);
	stop(copy_of_copy, 2);
	const u64 asked = m().update_locks;

	nmiprof_core_event_close(copy);
	nmiprof_core_event_close(copy_of_copy);
	EXPECT_EQ(m().update_locks, asked);
	m().fail_allocations = true;
	EXPECT_EQ(nmiprof_core_event_inherit(e, as_perf(7), 0, &copy), -12);
	m().fail_allocations = false;
	close(e);
	check_ledger();
}

// exit() can close the last one of all, too.
TEST_F(perf_events_test, closing_takes_no_lock_and_what_is_closed_goes_with_the_next_change)
{
	nmiprof_event *a = open(1000), *b = open(500), *c = open(100);
	const u64 locks = m().update_locks;
	const std::size_t objects = m().live_objects();

	nmiprof_core_event_close(a);
	nmiprof_core_event_close(c);
	EXPECT_EQ(m().update_locks, locks);
	change_events();
	EXPECT_EQ(m().live_objects(), objects - 2);
	start(b, 1);
	m().run(second);
	EXPECT_NEAR(double(samples(b, 1)), 500, 2);
	EXPECT_LE(ledger_of(1)[term::handled], 510u);
	stop(b, 1);
	close(b);
	m().run(second);
	EXPECT_EQ(m().cpus[0].timer_at, 0u);
}

// The profile's short way through an NMI counts each tick: perf's handler, which keeps it
// from being taken, stays until the ticks are the profile's own.
TEST_F(perf_events_test, the_profile_keeps_its_rate_when_there_is_no_memory_for_its_plan)
{
	ASSERT_EQ(set_rate(100), 0);
	ASSERT_EQ(enable(), 0);
	nmiprof_event *e = open(5000);

	m().run(100 * ms);
	nmiprof_core_event_close(e);
	m().fail_allocations = true;
	change_events();
	m().fail_allocations = false;
	const u64 before = ledger_of(1)[term::samples];

	m().run(second);
	EXPECT_NEAR(double(ledger_of(1)[term::samples] - before), 100, 3);
	// The next change makes up for it.
	const u64 handled = ledger_of(1)[term::handled];

	change_events();
	m().run(second);
	EXPECT_LE(ledger_of(1)[term::handled] - handled, 120u);
	check_ledger();
}

// Nor does it stay for ever when nothing changes any more.
TEST_F(perf_events_test, disabling_takes_away_what_a_change_without_memory_had_to_leave)
{
	ASSERT_EQ(enable(), 0);
	nmiprof_event *e = open(5000);

	m().run(100 * ms);
	nmiprof_core_event_close(e);
	m().fail_allocations = true;
	change_events();
	m().fail_allocations = false;
	disable();
	EXPECT_EQ(m().in_flight, 0u);
	for (unsigned int number = 1; number < nmiprof_core_max_handlers(); number++) {
		char name[32];

		EXPECT_EQ(nmiprof_core_handler_name(number, name, sizeof(name)), -2) << name;
	}
	m().run(second);
	EXPECT_EQ(m().cpus[0].timer_at, 0u);
}

// What one session was throttled to is not the next one's rate.
TEST_F(perf_events_test, a_new_session_begins_at_the_full_rate)
{
	nmiprof_event *e = open(5000);

	start(e, 1);
	m().perf_sample_ns = 900 * us;
	m().run(2 * second);
	EXPECT_GT(ledger_of(1)[term::perf_throttled], 0u);
	m().perf_sample_ns = 0;
	stop(e, 1);
	close(e);
	m().perf_samples.clear();
	e = open(100);
	start(e, 1);
	m().run(second);
	EXPECT_NEAR(double(samples(e, 1)), 100, 2);
	stop(e, 1);
	close(e);
}

TEST_F(perf_events_test, bad_periods_are_refused_with_a_reason)
{
	for (u64 bad : {u64{0}, u64{1}, 10 * us - 1, 3601 * second, ~u64{0}}) {
		m().refused.clear();
		EXPECT_EQ(open_period(bad), nullptr);
		EXPECT_EQ(error, -34);
		ASSERT_EQ(m().refused.size(), 1u);
		EXPECT_NE(m().refused[0].find("period"), std::string::npos);
	}
	m().run(second);
	EXPECT_EQ(timer_runs(), 0u);
}

TEST_F(perf_events_test, each_allocation_that_fails_leaves_all_as_it_was)
{
	nmiprof_event *first = open(100);

	start(first, 1);
	for (bool profile : {false, true}) {
		if (profile) {
			ASSERT_EQ(enable(), 0);
		}
		for (u64 n = 1; n < 20; n++) {
			m().fail_allocation = n;
			nmiprof_event *e = open(4999);

			const bool reached = m().fail_allocation == 0;

			m().fail_allocation = 0;
			if (e && reached) {
				// The plan's: the next change makes up for it.
				EXPECT_EQ(m().notices.size(), 1u);
				m().notices.clear();
				change_events();
			}
			if (e) {
				start(e, 2);
				m().run(100 * ms);
				EXPECT_NEAR(double(samples(e, 2)), 499, 3);
				stop(e, 2);
				close(e);
				m().perf_samples.clear();
				if (!reached)
					break;
				continue;
			}
			EXPECT_EQ(error, -12);
			const u64 before = samples(first, 1);

			m().run(second);
			EXPECT_NEAR(double(samples(first, 1) - before), 100, 2);
		}
	}
	stop(first, 1);
	close(first);
	check_ledger();
}

TEST_F(perf_events_test, without_memory_for_a_plan_closing_and_disabling_still_work)
{
	nmiprof_event *fast = open(4999), *slow = open(97);

	ASSERT_EQ(enable(), 0);
	start(slow, 1);
	m().fail_allocations = true;
	close(fast);
	disable();
	const u64 before = samples(slow, 1);

	m().run(second);
	m().fail_allocations = false;
	EXPECT_NEAR(double(samples(slow, 1) - before), 97, 3); // of ticks that are too fast
	stop(slow, 1);
	close(slow);
	const u64 runs = timer_runs();

	m().run(second);
	EXPECT_EQ(timer_runs(), runs);
	check_ledger();
}

TEST_F(perf_events_test, cpus_come_and_go)
{
	nmiprof_event *all[4];

	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		all[cpu] = open(1000);
		start(all[cpu], cpu);
	}
	for (unsigned int cpu : {1u, 3u, 0u}) {
		m().run(second);
		ASSERT_EQ(offline(cpu), 0);
		stop(all[cpu], cpu); // perf does so after us, while the CPU goes
		m().run(second);
		ASSERT_EQ(online(cpu), 0);
		start(all[cpu], cpu);
	}
	m().run(second);
	EXPECT_NEAR(double(samples(all[2], 2)), 7000, 40);
	for (unsigned int cpu : {0u, 1u, 3u})
		EXPECT_NEAR(double(samples(all[cpu], cpu)), 6000, 40);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		stop(all[cpu], cpu);
		close(all[cpu]);
	}
	check_ledger();
}

TEST_F(perf_events_test, suspend_pauses_events)
{
	nmiprof_event *e = open(1000);

	start(e, 1);
	m().run(second);
	suspend();
	const u64 before = samples(e, 1);

	m().run(second);
	EXPECT_EQ(samples(e, 1), before);
	nmiprof_event *meanwhile = open(2000);

	EXPECT_NE(meanwhile, nullptr);
	resume();
	m().run(second);
	EXPECT_NEAR(double(samples(e, 1) - before), 1000, 5);
	close(meanwhile);
	stop(e, 1);
	close(e);
	check_ledger();
}

// perf changes the list with interrupts off, but NMIs come: whatever they see is whole.
TEST_F(perf_events_test, stop_takes_an_event_out_wherever_it_is_in_the_list)
{
	for (unsigned int victim = 0; victim < 3; victim++) {
		nmiprof_event *e[] = {open(1000), open(1000), open(1000)};

		for (nmiprof_event *one : e)
			start(one, 0);
		stop(e[victim], 0);
		m().perf_samples.clear();
		m().run(100 * ms);
		for (unsigned int i = 0; i < 3; i++)
			EXPECT_EQ(samples(e[i], 0) != 0, i != victim);
		for (unsigned int i = 0; i < 3; i++)
			if (i != victim)
				stop(e[i], 0);
		for (nmiprof_event *one : e)
			close(one);
	}
	check_ledger();
}

TEST_F(perf_events_test, a_full_registry_refuses_with_a_reason)
{
	int numbers[32], n = 0;

	while ((numbers[n] = nmiprof_core_handler_add(
			("other" + std::to_string(n)).c_str(),
			[](void *, const nmiprof_nmi *) -> unsigned int { return 0; }, nullptr)) >
	       0)
		n++;
	EXPECT_EQ(open(1000), nullptr);
	EXPECT_EQ(error, -28);
	ASSERT_EQ(m().refused.size(), 1u);
	while (n--)
		EXPECT_EQ(nmiprof_core_handler_remove(static_cast<unsigned int>(numbers[n])), 0);
	nmiprof_event *e = open(1000);

	ASSERT_NE(e, nullptr);
	close(e);
}

TEST_F(perf_events_test, foreign_nmis_are_no_samples)
{
	nmiprof_event *e = open(1000);

	start(e, 0);
	m().run(10 * ms);
	const u64 before = m().perf_samples.size();

	for (unsigned int i = 0; i < 10; i++)
		m().foreign_nmi(0, true);
	EXPECT_EQ(m().perf_samples.size(), before);
	stop(e, 0);
	close(e);
	check_ledger();
}
