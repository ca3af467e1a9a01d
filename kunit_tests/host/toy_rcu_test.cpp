// SPDX-License-Identifier: GPL-2.0-only
// The toy RCU beside the kernel's (demos/toy_rcu.hpp).
#include "core_test.hpp"

#include "demo_shims.hpp"
#include "demos/toy_rcu.h"
#include "demos/toy_rcu.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

class toy_rcu_test : public core_test {
      protected:
	toy_rcu_test()
	{
		new (&the_toy_rcu) toy_rcu;
		toy_rcu_init();
		EXPECT_EQ(toy_rcu_begin(), 0);
		let_time_pass();
	}
	~toy_rcu_test() override
	{
		toy_rcu_end();
		EXPECT_EQ(allocated(), freed());
		EXPECT_EQ(counts().seen_freed, seen_freed);
		EXPECT_EQ(m().affinities_kept, 0u);
	}
	// While a reader stays where it is.
	void let_time_pass(std::function<void()> also = {})
	{
		m().on_relax = [this, also = std::move(also)] {
			m().run(10 * us);
			if (also)
				also();
		};
	}
	void use(update_way how)
	{
		toy_rcu_set(TOY_RCU_WAY, static_cast<u64>(how));
	}
	// CPUs that are visited in the next update.
	std::vector<unsigned int> visited_by_update()
	{
		std::vector<unsigned int> cpus;

		m().on_visit = [&](unsigned int cpu) { cpus.push_back(cpu); };
		EXPECT_EQ(toy_rcu_update(), 0);
		m().on_visit = nullptr;
		return cpus;
	}
	toy_rcu_counts counts()
	{
		toy_rcu_counts c;

		toy_rcu_count(&c);
		return c;
	}
	static u64 allocated()
	{
		return the_toy_rcu.count.allocated.load_relaxed();
	}
	static u64 freed()
	{
		return the_toy_rcu.count.freed.load_relaxed();
	}
	demo_durations waits(update_way how)
	{
		demo_durations d;

		toy_rcu_waits(static_cast<toy_rcu_way>(how), &d);
		return d;
	}
	using cpus = std::vector<unsigned int>;
	u64 seen_freed = 0; // that the test provoked
};

} // namespace

TEST_F(toy_rcu_test, the_toy_runs_on_every_cpu_once)
{
	EXPECT_EQ(visited_by_update(), (cpus{0, 1, 2, 3}));
	EXPECT_EQ(counts().cpus, 4u);
	EXPECT_EQ(m().grace_periods, 0u) << "it asks nothing of the kernel's RCU";
}

TEST_F(toy_rcu_test, the_toy_costs_more_with_more_cpus)
{
	m().cpus.resize(64);
	m().on_visit = [&](unsigned int) { m().run(2 * us); };
	EXPECT_EQ(toy_rcu_update(), 0);
	EXPECT_EQ(waits(update_way::toy).longest_ns, 64 * 2 * us);
	EXPECT_EQ(counts().cpus, 64u);
	m().cpus.resize(4);
}

TEST_F(toy_rcu_test, cpus_that_are_offline_are_left_out)
{
	m().cpus[2].online = false;
	m().cpus[3].present = false;
	EXPECT_EQ(visited_by_update(), (cpus{0, 1}));
	EXPECT_EQ(counts().cpus, 2u);
	m().cpus[2].online = m().cpus[3].present = true;
}

// The machine itself objects, too, if an object is freed before each CPU was visited.
TEST_F(toy_rcu_test, an_object_is_freed_after_the_last_cpu_only)
{
	const u64 live = m().live_objects();

	m().on_visit = [&](unsigned int) {
		// Room for where the thread belongs, the new object, and the old one.
		EXPECT_EQ(m().live_objects(), live + 2);
		EXPECT_EQ(freed(), 0u);
	};
	EXPECT_EQ(toy_rcu_update(), 0);
	m().on_visit = nullptr;
	EXPECT_EQ(freed(), 1u);
	EXPECT_EQ(m().live_objects(), live);
}

TEST_F(toy_rcu_test, a_cpu_that_it_cannot_get_to_is_waited_for_by_the_kernels_rcu)
{
	m().no_visits = {1};
	EXPECT_EQ(visited_by_update(), (cpus{0, 2, 3}));
	EXPECT_EQ(counts().cpus, 3u);
	EXPECT_EQ(m().grace_periods, 1u);
}

TEST_F(toy_rcu_test, the_thread_is_put_back_where_it_was)
{
	for (const unsigned int cpu : {0, 3, 1}) {
		m().task_on = cpu;
		EXPECT_EQ(toy_rcu_update(), 0);
		EXPECT_EQ(m().task_on, cpu);
	}
}

TEST_F(toy_rcu_test, the_kernels_ways_visit_no_cpu)
{
	use(update_way::synchronize);
	EXPECT_EQ(visited_by_update(), cpus{});
	EXPECT_EQ(m().grace_periods, 1u);
	EXPECT_EQ(m().expedited, 0u);
	use(update_way::expedited);
	EXPECT_EQ(visited_by_update(), cpus{});
	EXPECT_EQ(m().grace_periods, 2u);
	EXPECT_EQ(m().expedited, 1u);
}

TEST_F(toy_rcu_test, waits_are_measured_for_each_way)
{
	m().grace_period_ns = 3 * ms;
	for (const update_way how :
	     {update_way::synchronize, update_way::toy, update_way::expedited}) {
		use(how);
		for (int i = 0; i < 5; i++)
			EXPECT_EQ(toy_rcu_update(), 0);
		EXPECT_EQ(waits(how).count, 5u);
		EXPECT_EQ(counts().updates[static_cast<unsigned int>(how)], 5u);
	}
	EXPECT_EQ(waits(update_way::synchronize).mean_ns, 3 * ms);
	EXPECT_EQ(waits(update_way::toy).longest_ns, 0u);
}

TEST_F(toy_rcu_test, a_reader_stays_as_long_as_it_is_told_to)
{
	toy_rcu_set(TOY_RCU_SECTION_US, 250);
	const u64 began = m().now;

	toy_rcu_read();
	EXPECT_EQ(m().now - began, 250 * us);
	toy_rcu_set(TOY_RCU_SECTION_US, 0);
	toy_rcu_read();
	EXPECT_EQ(m().now - began, 260 * us) << "it looks once at least";
	EXPECT_EQ(counts().reads, 2u);
}

TEST_F(toy_rcu_test, the_way_is_changed_between_updates)
{
	for (int i = 0; i < 30; i++) {
		use(static_cast<update_way>(i % 3));
		EXPECT_EQ(toy_rcu_update(), 0);
		toy_rcu_read();
	}
}

TEST_F(toy_rcu_test, an_update_without_memory_changes_nothing)
{
	for (const u64 nth : {1, 2}) {
		const toy_rcu_counts before = counts();
		const u64 had = allocated();

		m().fail_allocation = nth;
		EXPECT_EQ(toy_rcu_update(), -12);
		EXPECT_EQ(allocated(), had);
		EXPECT_EQ(counts().updates[0], before.updates[0]);
		EXPECT_EQ(m().affinities_kept, 0u);
	}
	toy_rcu_read();
}

TEST_F(toy_rcu_test, beginning_without_memory_is_refused)
{
	toy_rcu_end();
	m().fail_allocations = true;
	EXPECT_EQ(toy_rcu_begin(), -12);
	m().fail_allocations = false;
	EXPECT_EQ(toy_rcu_begin(), 0);
}

// The machine's grace periods do not know of this reader: so a wait that is too short looks.
TEST_F(toy_rcu_test, a_reader_notices_that_its_object_was_freed_too_early)
{
	sim::keep_freed kept;
	unsigned int looks = 0;

	use(update_way::synchronize);
	toy_rcu_set(TOY_RCU_SECTION_US, 100);
	let_time_pass([&] {
		sim::in_context other_cpu(sim::context::process);

		if (++looks == 3) {
			EXPECT_EQ(toy_rcu_update(), 0);
		}
	});
	toy_rcu_read();
	EXPECT_EQ(looks, 3u) << "it looks all the time";
	EXPECT_EQ(counts().seen_freed, 1u);
	toy_rcu_read();
	EXPECT_EQ(counts().seen_freed, 1u);
	seen_freed = 1;
}
