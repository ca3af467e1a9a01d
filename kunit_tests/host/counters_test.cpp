// SPDX-License-Identifier: GPL-2.0-only
// A hardware counter as the source: settings, refusals, hotplug, and what becomes of its
// overflows.
#include "core_test.hpp"

namespace {

constexpr u64 text = 0xffffffff81000000;

class CountersTest : public core_test {
      protected:
	void overflow_at(unsigned int cpu, u64 ip, u32 how = 0)
	{
		m().cpus[cpu].where = {ip, how};
		m().overflow(cpu);
	}
	std::vector<unsigned int> counted_cpus()
	{
		std::vector<unsigned int> found;

		for (const auto &[event, made] : m().counters)
			if (made.started)
				found.push_back(made.cpu);
		std::sort(found.begin(), found.end());
		return found;
	}
};

TEST_F(CountersTest, WithoutAPmuTheSourceIsRefusedAndNothingChanges)
{
	m().has_pmu = false;
	EXPECT_EQ(set_source(true), -19);
	ASSERT_EQ(m().refused.size(), 1u);
	EXPECT_NE(m().refused[0].find("source pmu"), std::string::npos);
	ASSERT_EQ(enable(), 0);
	EXPECT_EQ(set_source(true), -19);
	m().run(10 * ms);
	EXPECT_GT(ledger_of(0)[term::samples], 5u);

	nmiprof_settings s = {};

	nmiprof_core_settings(&s);
	EXPECT_EQ(s.from_pmu, 0u);
	EXPECT_TRUE(m().counters.empty());
	check_ledger();
}

TEST_F(CountersTest, OverflowsAreSamplesAndNothingIsSent)
{
	ASSERT_EQ(set_source(true), 0);
	EXPECT_TRUE(m().counters.empty()) << "off: only tried out";
	ASSERT_EQ(enable(), 0);
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{0, 1, 2, 3}));
	for (const auto &[event, made] : m().counters)
		EXPECT_EQ(made.rate_hz, 997u);
	m().run(10 * ms);
	overflow_at(1, text + 0x40, NMIPROF_IRQS_OFF);
	overflow_at(1, text + 0x40);
	overflow_at(2, 0x1000, NMIPROF_USER);
	EXPECT_EQ(ledger_of(1)[term::overflows], 2u);
	EXPECT_EQ(ledger_of(1)[term::samples], 2u);
	EXPECT_EQ(ledger_of(2)[term::user], 1u);
	EXPECT_EQ(ledger_of_all()[term::due], 0u);
	EXPECT_EQ(ledger_of_all()[term::sent], 0u);
	const contents found = look();

	EXPECT_EQ(found.at(text + 0x40), 2u);
	EXPECT_EQ(found.irqs_off_at(text + 0x40), 1u);
	EXPECT_EQ(m().cpus[1].unknown_ours + m().cpus[1].unknown_foreign, 0u);
	check_ledger();
	disable();
	EXPECT_TRUE(m().counters.empty());
}

TEST_F(CountersTest, TheSourceChangesWhileSampling)
{
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	const u64 ticks = ledger_of(0)[term::samples];

	ASSERT_EQ(set_source(true), 0);
	m().run(10 * ms);
	EXPECT_LE(ledger_of(0)[term::samples], ticks + 1) << "the timers go on";
	overflow_at(0, text);
	const u64 samples = ledger_of(0)[term::samples];

	ASSERT_EQ(set_source(false), 0);
	EXPECT_TRUE(m().counters.empty());
	m().run(10 * ms);
	EXPECT_GT(ledger_of(0)[term::samples], samples + 5);
	check_ledger();
}

TEST_F(CountersTest, ARequestedTickIsNoSampleOfTheProfile)
{
	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	tick_at(2, text);
	EXPECT_EQ(ledger_of(2)[term::handled], 1u);
	EXPECT_EQ(ledger_of(2)[term::samples], 0u);
	check_ledger();
}

TEST_F(CountersTest, ANewRateTakesNewCounters)
{
	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(set_rate(4999), 0);
	EXPECT_EQ(m().counters.size(), 4u);
	for (const auto &[event, made] : m().counters) {
		EXPECT_EQ(made.rate_hz, 4999u);
		EXPECT_TRUE(made.started);
	}
}

TEST_F(CountersTest, CpusComeAndGo)
{
	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(offline(2), 0);
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{0, 1, 3}));
	ASSERT_EQ(online(2), 0);
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{0, 1, 2, 3}));
	m().has_pmu = false;
	ASSERT_EQ(offline(3), 0);
	ASSERT_EQ(online(3), 0);
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{0, 1, 2}));
	EXPECT_EQ(m().notices.size(), 1u);
}

TEST_F(CountersTest, OnlyTheCpusOfTheList)
{
	ASSERT_EQ(set_cpus({1, 3}), 0);
	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{1, 3}));
}

TEST_F(CountersTest, SuspendAndResume)
{
	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	suspend();
	EXPECT_TRUE(m().counters.empty());
	ASSERT_EQ(set_rate(499), 0);
	EXPECT_TRUE(m().counters.empty());
	resume();
	EXPECT_EQ(counted_cpus(), (std::vector<unsigned int>{0, 1, 2, 3}));
	EXPECT_TRUE(m().notices.empty());
}

// Any step of a change may lack memory: the source before goes on.
TEST_F(CountersTest, EachAllocationFailsOnce)
{
	ASSERT_EQ(enable(), 0);
	for (u64 n = 1;; n++) {
		m().fail_allocation = n;
		const int err = set_source(true);
		const bool all_worked = m().fail_allocation != 0;

		m().fail_allocation = 0;
		if (all_worked) {
			EXPECT_EQ(err, 0);
			EXPECT_GT(n, 5u); // the set, four counters, the table
			break;
		}
		ASSERT_EQ(err, -12) << "allocation " << n;
		ASSERT_TRUE(m().counters.empty());
		const u64 samples = ledger_of(0)[term::samples];

		m().run(10 * ms);
		ASSERT_GT(ledger_of(0)[term::samples], samples + 5) << "allocation " << n;
	}
	check_ledger();
}

// perf's events are served by the timers, whatever feeds the profile.
TEST_F(CountersTest, PerfsEventsStayWithTheTimers)
{
	nmiprof_event *event = nullptr;

	ASSERT_EQ(set_source(true), 0);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(nmiprof_core_event_open(nullptr, ms, 0, &event), 0);
	change_events();
	{
		in_irq context;

		nmiprof_core_event_start(event, 1);
	}
	m().run(10 * ms);
	const u64 delivered = ledger_of(1)[term::perf_delivered];

	EXPECT_GT(delivered, 5u);
	EXPECT_EQ(ledger_of(1)[term::samples], 0u);
	overflow_at(1, text);
	EXPECT_EQ(ledger_of(1)[term::perf_delivered], delivered);
	EXPECT_EQ(ledger_of(1)[term::samples], 1u);
	{
		in_irq context;

		nmiprof_core_event_stop(event, 1);
	}
	nmiprof_core_event_close(event);
	change_events();
	check_ledger();
}

} // namespace
