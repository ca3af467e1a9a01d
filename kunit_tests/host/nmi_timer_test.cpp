// SPDX-License-Identifier: GPL-2.0-only
// Who sends to whom, and who takes over (nmi_timer.hpp; spec C1, C3, C4).
#include "core_test.hpp"

using namespace nmiprof;

namespace {

constexpr u64 period = 1 * ms;

class nmi_timer_test : public core_test {
      protected:
	// A plan straight into the timer: no buffers, so any number of CPUs.
	template <class F> void follow(F wanted, u64 period_ns = period)
	{
		updating u;

		plan *p = plan::make(u.sleep, period_ns, wanted,
				     [](unsigned int cpu) { return shim_cpu_online(cpu) != 0; });
		ASSERT_NE(p, nullptr);
		for (u32 cpu = 0; cpu < m().cpus.size(); cpu++)
			if (m().cpus[cpu].present) // somebody takes samples
				state(cpu).sampled_by.profile_ns.store_relaxed(period_ns);
		the_timer.follow(u.lock, u.sleep, p);
	}
	void follow_all(u64 period_ns = period)
	{
		follow([](unsigned int cpu) { return shim_cpu_online(cpu) != 0; }, period_ns);
	}
	void stop()
	{
		updating u;

		the_timer.follow(u.lock, u.sleep, nullptr);
		the_timer.settle(u.lock, u.sleep);
	}
	void end()
	{
		m().ipi_ns = 500;
		m().on_send = nullptr;
		for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
			if (m().cpus[cpu].blocked)
				m().undeafen(cpu);
		stop();
	}
	void reboot(unsigned int cpus)
	{
		end();
		boot(cpus);
	}
	~nmi_timer_test() override
	{
		end();
	}
	struct counts {
		u64 ticks, due, overrun;
	};
	counts of(unsigned int cpu)
	{
		ledger l = ledger_of(cpu);

		return {m().cpus[cpu].ticks, l[term::due], l[term::skipped_overrun]};
	}
	// Runs for so many periods and expects each of the CPUs to have been sampled in
	// each of them.
	void expect_every_period(const std::vector<unsigned int> &cpus, u64 periods)
	{
		std::vector<counts> before;

		for (unsigned int cpu : cpus)
			before.push_back(of(cpu));
		m().run(periods * period);
		for (std::size_t i = 0; i < cpus.size(); i++) {
			const counts after = of(cpus[i]);

			EXPECT_GE(after.ticks - before[i].ticks + 1, periods) << "CPU " << cpus[i];
			EXPECT_LE(after.ticks - before[i].ticks, periods + 1) << "CPU " << cpus[i];
			EXPECT_EQ(after.overrun - before[i].overrun, 0u) << "CPU " << cpus[i];
		}
	}
	std::vector<unsigned int> all()
	{
		std::vector<unsigned int> cpus;

		for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
			cpus.push_back(cpu);
		return cpus;
	}
};

plan *make(const may_sleep &sleep, const std::vector<unsigned int> &sampled,
	   const std::vector<unsigned int> &online)
{
	const auto in = [](const std::vector<unsigned int> &v) {
		return [&v](unsigned int cpu) {
			return std::find(v.begin(), v.end(), cpu) != v.end();
		};
	};

	return plan::make(sleep, period, in(sampled), in(online));
}

} // namespace

// --- plan ---

TEST_F(nmi_timer_test, the_plan_is_a_ring_with_a_backup_outside)
{
	boot(6);
	const auto &sleep = entry::process();
	plan *p = make(sleep, {1, 3, 4}, {0, 1, 2, 3, 4, 5});

	ASSERT_NE(p, nullptr);
	EXPECT_EQ(p->sampled(), 3u);
	EXPECT_EQ(p->serves(1), 3u);
	EXPECT_EQ(p->serves(3), 4u);
	EXPECT_EQ(p->serves(4), 1u);
	EXPECT_TRUE(p->has_backup());
	EXPECT_EQ(p->serves(0), 1u);
	EXPECT_TRUE(p->helps_only(0));
	EXPECT_EQ(p->serves(2), plan::nobody);
	EXPECT_EQ(p->serves(5), plan::nobody);
	for (unsigned int cpu : {1, 3, 4}) {
		EXPECT_TRUE(p->samples(cpu));
		EXPECT_FALSE(p->helps_only(cpu));
	}
	for (unsigned int cpu : {0, 2, 5})
		EXPECT_FALSE(p->samples(cpu));
	plan::destroy(sleep, p);
}

TEST_F(nmi_timer_test, plans_of_few_cpus)
{
	const auto &sleep = entry::process();
	plan *p = make(sleep, {0, 1, 2, 3}, {0, 1, 2, 3});
	EXPECT_FALSE(p->has_backup());
	EXPECT_EQ(p->serves(3), 0u);
	plan::destroy(sleep, p);

	p = make(sleep, {2}, {2});
	EXPECT_EQ(p->serves(2), 2u) << "nobody else is there";
	EXPECT_FALSE(p->has_backup());
	EXPECT_FALSE(p->helps_only(2));
	plan::destroy(sleep, p);

	p = make(sleep, {2}, {1, 2});
	EXPECT_EQ(p->serves(1), 2u);
	EXPECT_FALSE(p->helps_only(1)) << "the backup is its sender";
	EXPECT_TRUE(p->helps_only(2)) << "and it itself the last resort";
	plan::destroy(sleep, p);

	p = make(sleep, {}, {0, 1});
	EXPECT_EQ(p->sampled(), 0u);
	EXPECT_FALSE(p->has_backup());
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_EQ(p->serves(cpu), plan::nobody);
	plan::destroy(sleep, p);

	m().fail_allocation = 1;
	EXPECT_EQ(make(sleep, {0}, {0}), nullptr);
}

// --- undisturbed ---

TEST_F(nmi_timer_test, every_cpu_is_sampled_every_period_by_another_one)
{
	for (unsigned int cpus : {2u, 3u, 4u, 7u, 64u}) {
		reboot(cpus);
		m().on_send = [&](unsigned int target) {
			EXPECT_FALSE(m().cpus[target].in_irq) << "sent to itself";
		};
		follow_all();
		m().run(3 * period);
		expect_every_period(all(), 100);
		check_ledger();
		stop();
		check_ledger();
	}
}

TEST_F(nmi_timer_test, samples_are_a_period_apart_without_drift)
{
	follow_all();
	m().run(3 * period);
	std::vector<u64> started;
	for (const sim::cpu &c : m().cpus)
		started.push_back(c.last_tick_at);
	m().run(1000 * period);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		EXPECT_EQ((m().cpus[cpu].last_tick_at - started[cpu]) % period, 0u);
		EXPECT_EQ(m().cpus[cpu].longest_gap, period);
	}
}

TEST_F(nmi_timer_test, cpus_are_spread_over_the_period)
{
	follow_all();
	m().run(5 * period);
	std::set<u64> phases;
	for (const sim::cpu &c : m().cpus)
		phases.insert(c.last_tick_at % period);
	EXPECT_EQ(phases.size(), 4u);
}

TEST_F(nmi_timer_test, late_timers_lose_nothing)
{
	u64 random = 1;

	m().timer_latency = [&](unsigned int) {
		random = random * 6364136223846793005ULL + 1;
		return (random >> 40) % (period / 5);
	};
	follow_all();
	m().run(3 * period);
	expect_every_period(all(), 500);
	check_ledger();
}

TEST_F(nmi_timer_test, one_cpu_samples_itself)
{
	boot(1);
	follow_all();
	m().run(3 * period);
	expect_every_period({0}, 100);
	// Blocked: it is blind, and the periods are named overruns.
	m().run(1 * us); // the last NMI arrives
	m().block(0);
	const u64 ticks = m().cpus[0].ticks;
	m().run(10 * period);
	EXPECT_EQ(m().cpus[0].ticks, ticks);
	m().unblock(0);
	m().run(2 * period);
	EXPECT_GE(of(0).overrun, 8u);
	check_ledger();
	expect_every_period({0}, 10);
	check_ledger();
}

TEST_F(nmi_timer_test, a_backup_serves_a_ring_of_one)
{
	follow([](unsigned int cpu) { return cpu == 2; });
	m().run(3 * period);
	expect_every_period({2}, 50);
	m().block(2);
	expect_every_period({2}, 50);
	m().unblock(2);
	m().block(0); // its sender
	m().run(2 * period);
	expect_every_period({2}, 50);
	check_ledger();
	EXPECT_EQ(m().cpus[1].timer_runs, 0u);
	EXPECT_EQ(m().cpus[3].timer_runs, 0u);
}

// --- blocked senders ---

TEST_F(nmi_timer_test, a_blocked_cpu_goes_on_being_sampled)
{
	follow_all();
	m().run(3 * period);
	m().block(2);
	expect_every_period({2}, 100);
	check_ledger();
}

TEST_F(nmi_timer_test, another_one_takes_over_within_one_period)
{
	for (unsigned int cpus : {2u, 3u, 4u, 8u, 16u, 64u})
		for (unsigned int blocked = 0; blocked < cpus; blocked += cpus / 2 + 1) {
			SCOPED_TRACE(std::to_string(cpus) +
				     " CPUs, blocked: " + std::to_string(blocked));
			reboot(cpus);
			follow_all();
			m().run(3 * period);
			for (sim::cpu &c : m().cpus)
				c.longest_gap = 0;
			m().block(blocked);
			m().run(20 * period);
			for (const sim::cpu &c : m().cpus)
				EXPECT_LE(c.longest_gap, 2 * period);
			expect_every_period(all(), 50);
			check_ledger();
		}
}

TEST_F(nmi_timer_test, a_chain_of_blocked_senders_is_stood_in_for)
{
	for (unsigned int length : {2u, 3u, 5u, 7u})
		for (unsigned int first : {0u, 3u, 7u}) {
			SCOPED_TRACE("length " + std::to_string(length) + " from " +
				     std::to_string(first));
			reboot(8);
			follow_all();
			m().run(3 * period);
			for (unsigned int i = 0; i < length; i++)
				m().block((first + i) % 8);
			m().run(2 * period);
			expect_every_period(all(), 50);
			check_ledger();
		}
}

TEST_F(nmi_timer_test, all_but_one_blocked)
{
	for (unsigned int cpus : {2u, 4u, 5u, 8u, 16u, 100u})
		for (unsigned int running : {0u, cpus - 1, cpus / 2}) {
			SCOPED_TRACE(std::to_string(cpus) +
				     " CPUs, running: " + std::to_string(running));
			reboot(cpus);
			follow_all();
			m().run(3 * period);
			for (unsigned int cpu = 0; cpu < cpus; cpu++)
				if (cpu != running)
					m().block(cpu);
			m().run(2 * period);
			expect_every_period(all(), 50);
			check_ledger();
		}
}

TEST_F(nmi_timer_test, a_backup_stands_in_for_a_ring_that_is_all_blocked)
{
	for (unsigned int cpus : {2u, 3u, 5u, 9u, 17u}) {
		SCOPED_TRACE(std::to_string(cpus - 1) + " in the ring");
		reboot(cpus);
		follow([&](unsigned int cpu) { return cpu != cpus - 1; });
		m().run(3 * period);
		std::vector<unsigned int> ring = all();
		ring.pop_back();
		for (unsigned int cpu : ring)
			m().block(cpu);
		m().run(2 * period);
		expect_every_period(ring, 50);
		check_ledger();
	}
}

TEST_F(nmi_timer_test, a_backup_keeps_out_while_it_is_not_needed)
{
	boot(5);
	follow([](unsigned int cpu) { return cpu != 0; });
	m().run(3 * period);
	m().on_send = [&](unsigned int) { EXPECT_FALSE(m().cpus[0].in_irq); };
	m().run(50 * period);
	EXPECT_GT(m().cpus[0].timer_runs, 40u);
	m().on_send = nullptr;
}

// Who stands in for another one looks at its own sender's work twice a period, so that it
// may be almost as late as a timer that nobody needs to stand in for.
TEST_F(nmi_timer_test, late_timers_lose_nothing_while_standing_in)
{
	for (unsigned int cpus : {2u, 3u, 4u}) {
		SCOPED_TRACE(std::to_string(cpus) + " CPUs");
		reboot(cpus);
		u64 random = 1;

		m().timer_latency = [&](unsigned int) {
			random = random * 6364136223846793005ULL + 1;
			return (random >> 40) % (period * 7 / 10);
		};
		follow_all();
		m().run(3 * period);
		for (unsigned int cpu = 1; cpu < cpus; cpu++)
			m().block(cpu);
		m().run(3 * period);
		expect_every_period(all(), 500);
		check_ledger();
	}
}

TEST_F(nmi_timer_test, who_stands_in_looks_more_often_until_the_other_is_back)
{
	const auto runs_in = [&](unsigned int cpu, u64 periods) {
		const u64 before = m().cpus[cpu].timer_runs;

		m().run(periods * period);
		return m().cpus[cpu].timer_runs - before;
	};

	for (unsigned int cpus : {2u, 4u, 64u}) {
		SCOPED_TRACE(std::to_string(cpus) + " CPUs");
		reboot(cpus);
		follow_all();
		m().run(3 * period);
		EXPECT_NEAR(double(runs_in(0, 100)), 100, 1);
		m().block(1);
		m().run(3 * period);
		EXPECT_NEAR(double(runs_in(0, 100)), 200, 1);
		for (unsigned int cpu = 2; cpu < cpus; cpu++)
			m().block(cpu);
		m().run(3 * period);
		EXPECT_LE(runs_in(0, 100), 901u) << "at most every eighth of a period";
		for (unsigned int cpu = 1; cpu < cpus; cpu++)
			m().unblock(cpu);
		m().run(3 * period);
		EXPECT_NEAR(double(runs_in(0, 100)), 100, 1);
		expect_every_period(all(), 50);
	}
}

TEST_F(nmi_timer_test, who_stands_in_at_a_high_rate_looks_no_more_often)
{
	follow_all(10 * us);
	m().run(1 * ms);
	for (unsigned int cpu : {1, 2, 3})
		m().block(cpu);
	m().run(1 * ms);
	const u64 before = m().cpus[0].timer_runs;
	m().run(1 * ms);
	EXPECT_LE(m().cpus[0].timer_runs - before, 101u);
}

TEST_F(nmi_timer_test, a_backup_that_stands_in_loses_nothing_by_being_late)
{
	boot(4);
	u64 random = 1;

	m().timer_latency = [&](unsigned int) {
		random = random * 6364136223846793005ULL + 1;
		return (random >> 40) % (period * 7 / 10);
	};
	follow([](unsigned int cpu) { return cpu != 0; });
	m().run(3 * period);
	for (unsigned int cpu : {1, 2, 3})
		m().block(cpu);
	m().run(3 * period);
	expect_every_period({1, 2, 3}, 500);
	check_ledger();
}

TEST_F(nmi_timer_test, all_blocked_then_released)
{
	follow_all();
	m().run(3 * period + 1 * us);
	std::vector<u64> ticks;
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		m().block(cpu);
		ticks.push_back(m().cpus[cpu].ticks);
	}
	m().run(100 * period);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_EQ(m().cpus[cpu].ticks, ticks[cpu]) << "nobody could send";
	check_ledger();
	m().unblock(1);
	m().run(2 * period);
	expect_every_period({0, 1, 2, 3}, 20);
	for (unsigned int cpu : {0, 2, 3})
		m().unblock(cpu);
	m().run(2 * period);
	expect_every_period({0, 1, 2, 3}, 20);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_GE(of(cpu).overrun, 97u);
	check_ledger();
}

TEST_F(nmi_timer_test, a_deaf_cpu_coalesces_and_then_loses_by_name)
{
	follow_all();
	m().run(3 * period);
	m().deafen(1);
	m().run(2 * second + 10 * period);
	ledger l = ledger_of(1);
	EXPECT_EQ(l[term::lost_timeout], 2u);
	EXPECT_GE(l[term::coalesced], 1990u);
	EXPECT_EQ(l[term::outstanding], 1u);
	check_ledger();
	m().undeafen(1);
	m().run(2 * period);
	expect_every_period({0, 1, 2, 3}, 20);
	check_ledger();
}

TEST_F(nmi_timer_test, many_random_blocks)
{
	boot(16);
	follow_all();
	u64 random = 5;
	for (int i = 0; i < 3000; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		const unsigned int cpu = (random >> 40) % 16;

		m().cpus[cpu].blocked ? m().unblock(cpu) : m().block(cpu);
		m().run((random >> 20) % period);
	}
	check_ledger();
	for (unsigned int cpu = 0; cpu < 16; cpu++)
		if (m().cpus[cpu].blocked)
			m().unblock(cpu);
	m().run(2 * period);
	expect_every_period(all(), 20);
	check_ledger();
}

// --- changes ---

TEST_F(nmi_timer_test, a_change_of_rate_takes_effect_and_accounts_for_the_old_one)
{
	follow_all();
	m().run(10 * period + period / 3);
	follow_all(period / 4);
	check_ledger();
	m().run(2 * period);
	std::vector<u64> before;
	for (const sim::cpu &c : m().cpus)
		before.push_back(c.ticks);
	m().run(100 * period);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_NEAR(double(m().cpus[cpu].ticks - before[cpu]), 400, 1);
	check_ledger();
	follow_all(100 * period);
	m().run(1000 * period);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_LE(m().cpus[cpu].ticks - before[cpu], 400u + 15);
	check_ledger();
	stop();
	check_ledger();
}

TEST_F(nmi_timer_test, the_same_rate_again_does_not_shift_the_samples)
{
	follow_all();
	m().run(3 * period);
	for (sim::cpu &c : m().cpus)
		c.longest_gap = 0;
	for (int i = 0; i < 20; i++) {
		follow_all();
		m().run(period / 3);
	}
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.longest_gap, period);
	check_ledger();
}

TEST_F(nmi_timer_test, timers_go_on_through_a_long_grace_period)
{
	follow_all();
	m().run(3 * period);
	m().grace_period_ns = 50 * period;
	follow_all(2 * period);
	m().grace_period_ns = 0;
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		EXPECT_GE(m().cpus[cpu].ticks, 20u);
		EXPECT_LE(of(cpu).overrun, 1u);
	}
	check_ledger();
}

TEST_F(nmi_timer_test, stopping_leaves_no_timer_and_no_nmi)
{
	follow_all();
	m().run(10 * period);
	m().ipi_ns = 50 * us;
	m().run(period);
	stop();
	EXPECT_EQ(m().in_flight, 0u);
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.timer_at, 0u);
	const u64 sent = ledger_of_all()[term::sent];
	m().run(10 * period);
	EXPECT_EQ(ledger_of_all()[term::sent], sent);
	EXPECT_EQ(ledger_of_all()[term::outstanding], 0u);
	check_ledger();
}

TEST_F(nmi_timer_test, a_start_that_comes_after_the_stop_starts_nothing)
{
	m().block(1);
	follow_all();
	m().run(3 * period);
	stop();
	m().unblock(1);
	m().run(3 * period);
	EXPECT_EQ(m().cpus[1].timer_at, 0u);
	EXPECT_EQ(m().cpus[1].timer_runs, 0u);
}

TEST_F(nmi_timer_test, settling_gives_up_after_a_second)
{
	m().cpus[2].lose = 1;
	ASSERT_EQ(request(2), 0);
	const u64 began = m().now;
	{
		updating u;
		the_timer.settle(u.lock, u.sleep);
	}
	EXPECT_GE(m().now - began, 1 * second);
	EXPECT_LE(m().now - began, 1 * second + 1 * ms);
	EXPECT_EQ(ledger_of(2)[term::lost_timeout], 1u);
	EXPECT_EQ(ledger_of(2)[term::outstanding], 0u);
	check_ledger();
}

TEST_F(nmi_timer_test, settling_ends_as_soon_as_it_has_come)
{
	m().ipi_ns = 5 * ms;
	ASSERT_EQ(request(2), 0);
	const u64 began = m().now;
	{
		updating u;
		the_timer.settle(u.lock, u.sleep);
	}
	EXPECT_EQ(m().cpus[2].ticks, 1u);
	EXPECT_GE(m().now - began, 5 * ms);
	EXPECT_LE(m().now - began, 6 * ms);
	EXPECT_EQ(ledger_of(2)[term::lost_timeout], 0u);
	check_ledger();
}

TEST_F(nmi_timer_test, a_halt_sends_nothing_more)
{
	follow_all();
	m().run(3 * period);
	nmiprof_core_halt();
	const u64 sent = ledger_of_all()[term::sent];
	m().run(5 * period);
	EXPECT_EQ(ledger_of_all()[term::sent], sent);
	EXPECT_EQ(request(0), -19);
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.timer_at, 0u) << "each timer stops at its next expiry";
	follow_all(period / 2);
	m().run(5 * period);
	EXPECT_EQ(ledger_of_all()[term::sent], sent);
}

TEST_F(nmi_timer_test, requests)
{
	EXPECT_EQ(request(1), 0);
	m().run(1 * us);
	EXPECT_EQ(m().cpus[1].ticks, 1u);
	EXPECT_EQ(ledger_of(1)[term::due], 1u);
	m().cpus[3].online = false;
	EXPECT_EQ(request(3), -19);
	EXPECT_EQ(ledger_of(3)[term::due], 0u);
	m().cpus[3].online = true;
	ASSERT_TRUE(state(2).due.try_begin());
	EXPECT_EQ(request(2), -11);
	state(2).due.end();
	check_ledger();
}

TEST_F(nmi_timer_test, requests_on_top_of_periods)
{
	follow_all();
	for (int i = 0; i < 200; i++) {
		m().run(period / 7);
		ASSERT_EQ(request(i % 4), 0);
	}
	m().run(10 * us);
	check_ledger();
	EXPECT_GT(ledger_of_all()[term::handled], 200u);
}

TEST_F(nmi_timer_test, an_update_waits_for_a_sender_that_has_the_turn)
{
	follow_all();
	ASSERT_TRUE(state(1).due.try_begin());
	m().on_relax = [&] {
		if (m().relaxed == 3)
			state(1).due.end();
	};
	m().relaxed = 0;
	follow_all(period / 2);
	EXPECT_EQ(m().relaxed, 3u);
	m().on_relax = nullptr;
	check_ledger();
}

TEST_F(nmi_timer_test, a_turn_that_somebody_has_is_left_alone_and_the_ring_goes_on)
{
	follow_all();
	m().run(3 * period + 10 * us); // the last NMI has arrived
	// No timer has run for a period and a half: all are overdue.
	m().now += period * 3 / 2;
	ASSERT_TRUE(state(1).due.try_begin());
	const std::vector<sim::cpu> before = m().cpus;
	{
		sim::in_context level(sim::context::irq);

		const u64 next = nmiprof_core_on_timer(0, m().now);

		EXPECT_GT(next, m().now);
		EXPECT_LE(next, m().now + period);
	}
	EXPECT_EQ(m().cpus[1].sent, before[1].sent) << "who has the turn does the work";
	EXPECT_EQ(m().cpus[2].sent, before[2].sent + 1);
	EXPECT_EQ(m().cpus[3].sent, before[3].sent + 1);
	state(1).due.end();
	m().run(3 * period);
	EXPECT_GT(m().cpus[1].ticks, before[1].ticks) << "served in a later turn";
	EXPECT_GE(ledger_of(1)[term::skipped_overrun], 1u);
	stop();
	check_ledger();
}

TEST_F(nmi_timer_test, a_timer_goes_on_while_its_target_changes_its_period)
{
	follow_all();
	m().run(3 * period + 10 * us);
	ASSERT_TRUE(state(1).due.try_begin());
	state(1).due.stop();
	state(1).due.end();
	sim::in_context level(sim::context::irq);

	EXPECT_EQ(nmiprof_core_on_timer(0, m().now), m().now + period);
}

TEST_F(nmi_timer_test, an_nmi_that_comes_while_it_is_given_up_is_not_lost)
{
	m().deafen(2);
	ASSERT_EQ(request(2), 0);
	// The CPU has seen its flag, then the flag is taken away, then it counts the tick.
	m().on_relax = [&] {
		if (m().relaxed != 1)
			return;
		state(2).handled.inc();
		m().cpus[2].latched = 0;
		m().cpus[2].ticks++;
		m().cpus[2].nmis++;
	};
	m().relaxed = 0;
	{
		updating u;
		the_timer.settle(u.lock, u.sleep);
	}
	m().on_relax = nullptr;
	EXPECT_GT(m().relaxed, 1u);
	EXPECT_EQ(ledger_of(2)[term::lost_timeout], 0u);
	EXPECT_EQ(ledger_of(2)[term::outstanding], 0u);
	m().undeafen(2);
	check_ledger();
}

// --- CPUs that come and go ---

TEST_F(nmi_timer_test, hotplug_while_sampling)
{
	boot(6);
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(5 * period);
	for (unsigned int cpu : {5u, 0u, 2u}) {
		ASSERT_EQ(offline(cpu), 0);
		EXPECT_FALSE(state(cpu).claim.outstanding());
		const u64 sent = m().cpus[cpu].sent;
		m().run(20 * period);
		EXPECT_EQ(m().cpus[cpu].sent, sent);
		check_ledger();
	}
	m().run(2 * period);
	expect_every_period({1, 3, 4}, 20);
	for (unsigned int cpu : {0u, 5u, 2u}) {
		ASSERT_EQ(online(cpu), 0);
		m().run(20 * period);
		check_ledger();
	}
	expect_every_period(all(), 20);
	check_ledger();
}

TEST_F(nmi_timer_test, a_cpu_goes_offline_with_an_nmi_on_its_way)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(5 * period);
	m().ipi_ns = 2 * ms;
	ASSERT_EQ(request(3), 0);
	const u64 ticks = m().cpus[3].ticks;
	ASSERT_EQ(offline(3), 0);
	EXPECT_GT(m().cpus[3].ticks, ticks) << "it was waited for";
	EXPECT_EQ(ledger_of(3)[term::lost_offline], 0u);
	check_ledger();
}

TEST_F(nmi_timer_test, an_nmi_that_does_not_come_before_offline_is_lost_by_name)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().cpus[3].lose = 1;
	m().run(5 * us);
	ASSERT_EQ(request(3), 0);
	ASSERT_EQ(offline(3), 0);
	EXPECT_EQ(ledger_of(3)[term::lost_offline], 1u);
	EXPECT_FALSE(state(3).claim.outstanding());
	check_ledger();
	ASSERT_EQ(online(3), 0);
	m().run(3 * period);
	expect_every_period({0, 1, 2, 3}, 20);
	check_ledger();
}

// Between the last look of its callback and the end, a CPU is offline but in the plan.
TEST_F(nmi_timer_test, nothing_is_sent_to_a_cpu_that_is_gone)
{
	follow_all();
	m().run(3 * period + 1 * us);
	m().block(2);
	m().cpus[2].online = false;
	const u64 sent = m().cpus[2].sent;
	m().run(10 * period);
	EXPECT_EQ(m().cpus[2].sent, sent);
	EXPECT_NEAR(double(ledger_of(2)[term::skipped_offline]), 10, 1);
	check_ledger();
	m().cpus[2].online = true;
	m().unblock(2);
	m().run(2 * period);
	expect_every_period(all(), 20);
	check_ledger();
}

TEST_F(nmi_timer_test, the_last_sampled_cpu_goes_offline)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(set_cpus({2}), 0);
	ASSERT_EQ(enable(), 0);
	m().run(5 * period);
	ASSERT_EQ(offline(2), 0);
	m().run(5 * period);
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.timer_at, 0u);
	check_ledger();
	ASSERT_EQ(online(2), 0);
	m().run(3 * period);
	expect_every_period({2}, 20);
	check_ledger();
}

TEST_F(nmi_timer_test, the_backup_goes_offline)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(set_cpus({2, 3}), 0);
	ASSERT_EQ(enable(), 0);
	m().run(5 * period);
	EXPECT_NE(m().cpus[0].timer_at, 0u);
	ASSERT_EQ(offline(0), 0);
	m().run(2 * period);
	EXPECT_NE(m().cpus[1].timer_at, 0u) << "the next one is the backup";
	m().block(2);
	m().block(3);
	m().run(2 * period);
	expect_every_period({2, 3}, 20);
	check_ledger();
}

// --- large ---

TEST_F(nmi_timer_test, four_thousand_cpus)
{
	boot(4096);
	follow_all();
	m().run(3 * period);
	expect_every_period(all(), 5);
	for (unsigned int cpu = 1000; cpu < 1010; cpu++)
		m().block(cpu);
	m().run(2 * period);
	expect_every_period(all(), 5);
	for (unsigned int cpu = 1000; cpu < 1010; cpu++)
		m().unblock(cpu);
	stop();
	check_ledger();
}

TEST_F(nmi_timer_test, four_thousand_cpus_all_but_one_blocked)
{
	boot(4096);
	follow_all();
	m().run(3 * period);
	for (unsigned int cpu = 0; cpu < 4096; cpu++)
		if (cpu != 77)
			m().block(cpu);
	m().run(2 * period);
	expect_every_period(all(), 5);
	check_ledger();
}
