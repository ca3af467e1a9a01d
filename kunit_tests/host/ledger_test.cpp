// SPDX-License-Identifier: GPL-2.0-only
// The ledger's equations (ledger.hpp; spec B4, C5) after everything that can happen,
// in any order.
#include "core_test.hpp"

#include <random>

using namespace nmiprof;

using ledger_test = core_test;

TEST_F(ledger_test, all_zero_at_first)
{
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		for (u64 v : ledger_of(cpu).value)
			EXPECT_EQ(v, 0u);
	check_ledger();
}

TEST_F(ledger_test, names)
{
	EXPECT_EQ(nmiprof_core_terms(), terms);
	std::set<std::string> names;
	for (unsigned int i = 0; i < terms; i++)
		names.insert(nmiprof_core_term_name(i));
	EXPECT_EQ(names.size(), terms);
	EXPECT_EQ(nmiprof_core_term_name(terms), nullptr);
	EXPECT_EQ(nmiprof_core_term_name(~0u), nullptr);
	EXPECT_STREQ(nmiprof_core_term_name(static_cast<unsigned int>(term::due)), "due");
	EXPECT_STREQ(nmiprof_core_term_name(static_cast<unsigned int>(term::out_of_range)),
		     "out_of_range");
	EXPECT_STREQ(nmiprof_core_term_name(static_cast<unsigned int>(term::lost_timeout)),
		     "lost_timeout");
}

TEST_F(ledger_test, no_such_cpu)
{
	u64 values[terms];

	EXPECT_EQ(nmiprof_core_ledger(4, values), -19);
	EXPECT_EQ(nmiprof_core_ledger(~0u, values), -19);
}

TEST_F(ledger_test, due_comes_from_the_clock)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		m().block(cpu); // nobody serves
	m().run(1 * second);
	EXPECT_EQ(ledger_of_all()[term::due], 0u) << "told of when somebody looks";
	m().unblock(0);
	m().run(2 * ms);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		EXPECT_NEAR(double(ledger_of(cpu)[term::due]), 1000, 3);
		EXPECT_NEAR(double(ledger_of(cpu)[term::skipped_overrun]), 998, 4);
	}
	check_ledger();
}

TEST_F(ledger_test, each_nmi_in_the_middle_of_a_read_makes_it_start_over)
{
	ASSERT_EQ(enable(), 0);
	// A writer that stands still inside for a while.
	state(1).inside.write_begin();
	m().on_relax = [&] {
		if (m().relaxed == 10)
			state(1).inside.write_end();
	};
	m().relaxed = 0;
	u64 values[terms];
	EXPECT_EQ(nmiprof_core_ledger(1, values), 0);
	EXPECT_EQ(m().relaxed, 10u);
	m().on_relax = nullptr;
}

TEST_F(ledger_test, a_cpu_that_stands_still_for_a_second_is_given_up)
{
	u64 values[terms];
	const u64 began = m().now;

	ASSERT_TRUE(state(2).due.try_begin());
	EXPECT_EQ(nmiprof_core_ledger(2, values), -11);
	EXPECT_GE(m().now - began, 1 * second);
	state(2).due.end();
	EXPECT_EQ(nmiprof_core_ledger(2, values), 0);
	state(2).inside.write_begin();
	EXPECT_EQ(nmiprof_core_ledger(2, values), -11);
	state(2).inside.write_end();
}

TEST_F(ledger_test, holds_in_the_middle_of_everything)
{
	ASSERT_EQ(set_rate(10'000), 0);
	ASSERT_EQ(enable(), 0);
	for (int i = 0; i < 500; i++) {
		m().run(7 * us);
		check_ledger();
	}
}

TEST_F(ledger_test, a_suspend_of_years)
{
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	suspend();
	m().now += u64{5} * 365 * 86400 * second;
	resume();
	m().run(10 * ms);
	EXPECT_LE(ledger_of_all()[term::skipped_overrun], 4u);
	check_ledger();
}

TEST_F(ledger_test, a_machine_paused_for_days_while_sampling)
{
	ASSERT_EQ(set_rate(100'000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	m().now += u64{30} * 86400 * second;
	m().run(10 * ms);
	EXPECT_GT(ledger_of_all()[term::skipped_overrun], u64{4} * 30 * 86400 * 99'000);
	check_ledger();
}

namespace {

struct scenario {
	unsigned int cpus;
	unsigned int seed;
};

class random_ledger_test : public core_test, public ::testing::WithParamInterface<scenario> {
      protected:
	u64 random(u64 below)
	{
		return std::uniform_int_distribution<u64>(0, below - 1)(engine_);
	}
	unsigned int any_cpu()
	{
		return static_cast<unsigned int>(random(m().cpus.size()));
	}
	void somewhere(unsigned int cpu)
	{
		static constexpr u32 hows[] = {0, 0, 0, NMIPROF_USER, NMIPROF_IDLE};
		sim::cpu &c = m().cpus[cpu];
		const u32 off = c.blocked ? NMIPROF_IRQS_OFF : 0;

		c.where.how = hows[random(5)] | off;
		switch (random(3)) {
		case 0:
			c.where.ip = m().text_start + random(m().text_end - m().text_start);
			break;
		case 1:
			c.where.ip = 0xffffffffc0000000 + random(1 << 20);
			break;
		default:
			c.where.ip = m().text_start - 8 + random(16);
		}
	}
	void step();

	std::mt19937_64 engine_;
	bool suspended_ = false;
};

void random_ledger_test::step()
{
	const unsigned int cpu = any_cpu();
	sim::cpu &c = m().cpus[cpu];

	switch (random(34)) {
	case 0:
		enable();
		break;
	case 1:
		if (!random(3))
			disable();
		break;
	case 2: {
		static constexpr u64 rates[] = {0, 1, 10, 100, 997, 5000, 100'000, 100'001};
		set_rate(rates[random(8)]);
		break;
	}
	case 3: {
		std::vector<unsigned int> chosen;

		for (unsigned int i = 0; i < m().cpus.size(); i++)
			if (random(2))
				chosen.push_back(i);
		set_cpus(chosen);
		break;
	}
	case 4:
		set_all_cpus();
		break;
	case 5:
		set_granularity(u64{1} << random(18));
		break;
	case 6:
		set_granularity(0);
		break;
	case 7:
		set_layout(random(2));
		break;
	case 8:
	case 9:
		if (!c.online)
			online(cpu);
		else if (!c.blocked && m().cpus.size() > 1 &&
			 std::count_if(m().cpus.begin(), m().cpus.end(),
				       [](const sim::cpu &x) { return x.online; }) > 1)
			offline(cpu);
		break;
	case 10:
	case 11:
		if (c.online)
			m().block(cpu);
		break;
	case 12:
	case 13:
	case 14:
		if (c.blocked)
			m().undeafen(cpu);
		break;
	case 15:
		if (!c.online || c.blocked)
			break;
		m().deafen(cpu);
		m().run(random(5 * ms));
		m().undeafen(cpu);
		break;
	case 16:
	case 17:
		drain();
		break;
	case 18:
	case 19:
		if (c.online)
			m().foreign_nmi(cpu, random(2));
		break;
	case 20:
		suspended_ ? resume() : suspend();
		suspended_ = !suspended_;
		break;
	case 21:
		if (suspended_)
			resume();
		suspended_ = false;
		break;
	case 22:
		if (c.online)
			request(cpu);
		break;
	case 23:
		m().ipi_ns = random(3) ? 500 : random(20 * us);
		break;
	case 24:
		m().grace_period_ns = random(2) ? 0 : random(10 * ms);
		break;
	case 25:
		m().fail_allocation = random(4) ? 0 : 1 + random(12);
		break;
	case 26:
		if (!random(10))
			c.lose = 1;
		break;
	default:
		m().run(random(5 * ms));
	}
	for (unsigned int i = 0; i < m().cpus.size(); i++)
		somewhere(i);
}

} // namespace

TEST_P(random_ledger_test, ten_thousand_steps)
{
	boot(GetParam().cpus);
	engine_.seed(GetParam().seed);
	m().in_grace_period = [&] {
		const unsigned int cpu = any_cpu();

		if (m().cpus[cpu].online && !m().cpus[cpu].deaf) {
			m().foreign_nmi(cpu, true);
			request(cpu);
		}
	};
	for (int i = 0; i < 10'000; i++) {
		step();
		// Every step is checked, the report of all bins now and then.
		if (i % 100 == 0) {
			const u64 fail = m().fail_allocation;

			m().fail_allocation = 0;
			check_ledger();
			m().fail_allocation = fail;
		} else {
			for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
				check_equations_of(cpu);
		}
		ASSERT_FALSE(HasFailure()) << "step " << i;
	}
	m().fail_allocation = 0;
	if (suspended_)
		resume();
	drain();
	check_ledger();
	EXPECT_GT(ledger_of_all()[term::handled], 1000u) << "it did something";
	// A foreign NMI can use up the flag while ours is on its way. Its place is kept
	// for one late arrival, not for two at once.
	m().unknown_of_ours_is_failure = false;
	for (const sim::cpu &c : m().cpus)
		EXPECT_LE(c.unknown_ours, c.doubled);
}

INSTANTIATE_TEST_SUITE_P(seeds, random_ledger_test,
			 ::testing::Values(scenario{1, 1}, scenario{2, 2}, scenario{3, 3},
					   scenario{4, 4}, scenario{4, 5}, scenario{8, 6}),
			 [](const auto &info) {
				 return std::to_string(info.param.cpus) + "_cpus_seed_" +
					std::to_string(info.param.seed);
			 });
