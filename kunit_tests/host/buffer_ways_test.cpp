// SPDX-License-Identifier: GPL-2.0-only
// The profile buffer in three ways (demos/buffer_ways.hpp).
#include "core_test.hpp"

#include <future>
#include <thread>

#include "demo_shims.hpp"
#include "demos/buffer_ways.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

constexpr buffer_way all_ways[] = {buffer_way::racy, buffer_way::lock, buffer_way::rcu};
constexpr unsigned int racy = 0, lock = 1, rcu = 2; // as an index

class buffer_ways_test : public core_test {
      protected:
	buffer_ways_test()
	{
		// A new one for each test, the only one there is.
		new (&the_buffer_ways) buffer_ways;
		the_buffer_ways.init();
		EXPECT_EQ(the_buffer_ways.start(sleep).error(), errc::ok);
	}
	~buffer_ways_test() override
	{
		m().on_relax = nullptr;
		m().in_grace_period = nullptr;
		stop();
		EXPECT_EQ(the_buffer_ways.objects.allocated.load_relaxed(),
			  the_buffer_ways.objects.freed.load_relaxed());
		EXPECT_EQ(ledger().live, 0u);
		EXPECT_EQ(ledger().unaccounted(), 0u);
	}
	void stop()
	{
		if (running)
			the_buffer_ways.stop(sleep);
		running = false;
	}
	errc swap()
	{
		return the_buffer_ways.swap(sleep).error();
	}
	errc set_way(buffer_way way)
	{
		return the_buffer_ways.set_way(sleep, way).error();
	}
	buffer_ledger ledger()
	{
		buffer_ledger l;

		EXPECT_EQ(the_buffer_ways.read(sleep, l).error(), errc::ok);
		return l;
	}
	static void nmi(unsigned int cpu)
	{
		in_nmi level;

		the_buffer_ways.sample(level.token, cpu);
	}
	// An NMI of this CPU; while it is in the buffer another CPU does this.
	void nmi_meanwhile(unsigned int cpu, std::function<void()> what)
	{
		the_buffer_ways.nmi_hold_ns.store_relaxed(1);
		m().on_relax = [&] {
			sim::in_context level(sim::context::process);

			the_buffer_ways.nmi_hold_ns.store_relaxed(0);
			what();
			m().now += 1;
		};
		nmi(cpu);
		m().on_relax = nullptr;
	}

	const may_sleep sleep = entry::process();
	bool running = true;
};

// An NMI of CPU 0, on a thread of its own, that stays in the buffer until it is told to leave.
class long_nmi {
      public:
	explicit long_nmi(sim::machine &m) : m_(m)
	{
		the_buffer_ways.nmi_hold_ns.store_relaxed(1);
		m.on_relax = [this] {
			if (std::this_thread::get_id() == thread_.get_id())
				stay();
			else if (elsewhere)
				elsewhere();
		};
		std::promise<void> started;

		thread_ = std::thread([&started] {
			started.get_future().wait();
			in_nmi level;

			the_buffer_ways.sample(level.token, 0);
		});
		started.set_value();
		entered_.get_future().wait();
		the_buffer_ways.nmi_hold_ns.store_relaxed(0);
	}
	~long_nmi()
	{
		leave();
		m_.on_relax = nullptr;
	}
	long_nmi(const long_nmi &) = delete;
	long_nmi &operator=(const long_nmi &) = delete;

	void leave()
	{
		if (!thread_.joinable())
			return;
		may_leave_.set_value();
		thread_.join();
	}
	// When somebody else waits, busy.
	std::function<void()> elsewhere;

      private:
	void stay()
	{
		entered_.set_value();
		may_leave_.get_future().wait();
		m_.now += 1;
	}

	sim::machine &m_;
	std::promise<void> entered_, may_leave_;
	std::thread thread_;
};

} // namespace

TEST_F(buffer_ways_test, every_sample_is_drained_or_live)
{
	u64 samples = 0;

	for (const buffer_way way : all_ways) {
		ASSERT_EQ(set_way(way), errc::ok);
		for (int round = 0; round < 10; round++) {
			for (unsigned int i = 0; i < 7; i++, samples++)
				nmi(i % 4);
			const buffer_ledger before = ledger();

			EXPECT_EQ(before.live, 7u);
			EXPECT_EQ(before.drained, samples - 7);
			ASSERT_EQ(swap(), errc::ok);
			EXPECT_EQ(ledger().live, 0u);
			EXPECT_EQ(ledger().drained, samples);
		}
	}
	const buffer_ledger l = ledger();

	EXPECT_EQ(l.samples, samples);
	EXPECT_EQ(l.no_buffer + l.lock_held + l.raced, 0u);
	EXPECT_EQ(l.unaccounted(), 0u);
	for (const unsigned int way : {racy, lock, rcu}) {
		EXPECT_EQ(l.seen_freed[way], 0u);
		EXPECT_EQ(the_buffer_ways.swaps[way].count(), 10u);
	}
}

TEST_F(buffer_ways_test, each_cpu_has_a_ledger)
{
	buffer_ledger l;

	for (unsigned int cpu = 0; cpu < 4; cpu++)
		for (unsigned int i = 0; i <= cpu; i++)
			nmi(cpu);
	ASSERT_EQ(swap(), errc::ok);
	nmi(3);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		ASSERT_EQ(the_buffer_ways.read_cpu(sleep, cpu, l).error(), errc::ok);
		EXPECT_EQ(l.drained, cpu + 1);
		EXPECT_EQ(l.live, cpu == 3);
		EXPECT_EQ(l.unaccounted(), 0u);
	}
	EXPECT_EQ(the_buffer_ways.read_cpu(sleep, 4, l).error(), errc::no_entry);
	stop();
	EXPECT_EQ(the_buffer_ways.read_cpu(sleep, 0, l).error(), errc::no_entry);
}

TEST_F(buffer_ways_test, counts_go_on_from_run_to_run)
{
	nmi(1);
	stop();
	EXPECT_EQ(ledger().drained, 1u);
	ASSERT_EQ(the_buffer_ways.start(sleep).error(), errc::ok);
	running = true;
	nmi(2);
	EXPECT_EQ(ledger().samples, 2u);
	EXPECT_EQ(ledger().live, 1u);
}

TEST_F(buffer_ways_test, by_rcu_a_swap_waits_for_the_nmi_that_has_the_buffer)
{
	long_nmi inside(m());
	bool waited = false;

	m().in_grace_period = [&] {
		waited = true;
		nmi(1); // another CPU: into the new one
		inside.leave();
	};
	ASSERT_EQ(swap(), errc::ok);
	EXPECT_TRUE(waited);
	EXPECT_EQ(ledger().drained, 1u);
	EXPECT_EQ(ledger().live, 1u);
	EXPECT_EQ(ledger().samples, 2u) << "none is lost";
	EXPECT_EQ(ledger().seen_freed[rcu], 0u);
}

TEST_F(buffer_ways_test, by_the_lock_a_swap_waits_too_and_other_nmis_give_up)
{
	ASSERT_EQ(set_way(buffer_way::lock), errc::ok);
	const u64 grace_periods = m().grace_periods;
	long_nmi inside(m());

	inside.elsewhere = [&] {
		nmi(1); // neither waits nor deadlocks
		inside.leave();
	};
	ASSERT_EQ(swap(), errc::ok);
	EXPECT_EQ(ledger().drained, 1u);
	EXPECT_EQ(ledger().lock_held, 1u);
	EXPECT_EQ(ledger().unaccounted(), 0u);
	EXPECT_EQ(ledger().seen_freed[lock], 0u);
	EXPECT_EQ(m().grace_periods, grace_periods) << "no grace period is needed";
	nmi(2);
	EXPECT_EQ(ledger().live, 1u) << "the lock is free again";
}

TEST_F(buffer_ways_test, by_the_lock_nmis_do_not_exclude_each_other)
{
	ASSERT_EQ(set_way(buffer_way::lock), errc::ok);
	long_nmi inside(m());

	nmi(1);
	inside.leave();
	EXPECT_EQ(ledger().live, 2u);
	EXPECT_EQ(ledger().lock_held, 0u);
}

#ifdef __SANITIZE_ADDRESS__
TEST_F(buffer_ways_test, the_race_is_a_use_after_free)
{
	ASSERT_EQ(set_way(buffer_way::racy), errc::ok);
	EXPECT_DEATH(nmi_meanwhile(0, [&] { static_cast<void>(swap()); }), "heap-use-after-free");
}
#endif

TEST_F(buffer_ways_test, what_the_race_lost_is_noticed_and_named)
{
	ASSERT_EQ(set_way(buffer_way::racy), errc::ok);
	{
		sim::keep_freed kept;

		nmi_meanwhile(0, [&] { ASSERT_EQ(swap(), errc::ok); });
		EXPECT_EQ(ledger().seen_freed[racy], 1u);
		EXPECT_EQ(ledger().unaccounted(), 1u);
	}
	ASSERT_EQ(set_way(buffer_way::rcu), errc::ok);
	EXPECT_EQ(ledger().raced, 1u);
	EXPECT_EQ(ledger().unaccounted(), 0u);
}

TEST_F(buffer_ways_test, what_the_race_lost_is_named_when_it_stops)
{
	ASSERT_EQ(set_way(buffer_way::racy), errc::ok);
	sim::keep_freed kept;

	nmi_meanwhile(0, [&] { ASSERT_EQ(swap(), errc::ok); });
	stop();
	EXPECT_EQ(ledger().raced, 1u);
}

TEST_F(buffer_ways_test, a_racy_swap_leaves_no_buffer_for_a_while)
{
	ASSERT_EQ(set_way(buffer_way::racy), errc::ok);
	nmi(0);
	m().fail_allocation = 1;
	EXPECT_EQ(swap(), errc::no_memory);
	nmi(0);
	nmi(1);
	EXPECT_EQ(ledger().no_buffer, 2u);
	EXPECT_EQ(ledger().unaccounted(), 0u);
	ASSERT_EQ(swap(), errc::ok);
	nmi(0);
	EXPECT_EQ(ledger().live, 1u);
}

TEST_F(buffer_ways_test, without_memory_the_other_ways_change_nothing)
{
	for (const buffer_way way : {buffer_way::lock, buffer_way::rcu}) {
		ASSERT_EQ(set_way(way), errc::ok);
		nmi(0);
		m().fail_allocation = 1;
		EXPECT_EQ(swap(), errc::no_memory);
		nmi(0);
		EXPECT_EQ(ledger().live, 2u);
		ASSERT_EQ(swap(), errc::ok);
	}
	EXPECT_EQ(ledger().no_buffer, 0u);
}

TEST_F(buffer_ways_test, a_change_of_way_waits_for_nmis_of_the_old_way)
{
	for (const buffer_way from : all_ways)
		for (const buffer_way to : all_ways) {
			if (from == to)
				continue;
			SCOPED_TRACE(static_cast<int>(from) * 10 + static_cast<int>(to));
			ASSERT_EQ(set_way(from), errc::ok);
			ASSERT_EQ(swap(), errc::ok);
			const buffer_ledger before = ledger();
			long_nmi inside(m());
			bool waited = false;

			m().in_grace_period = [&] {
				if (!waited)
					nmi(1); // already the new way
				waited = true;
				inside.leave();
			};
			ASSERT_EQ(set_way(to), errc::ok);
			m().in_grace_period = nullptr;
			EXPECT_TRUE(waited);
			EXPECT_EQ(ledger().drained, before.drained + 1);
			EXPECT_EQ(ledger().live, 1u);
			nmi(2);
			EXPECT_EQ(ledger().live, 2u);
			EXPECT_EQ(ledger().samples, before.samples + 3);
			EXPECT_EQ(ledger().unaccounted(), 0u);
		}
	EXPECT_EQ(ledger().no_buffer, 0u);
}

TEST_F(buffer_ways_test, a_change_of_way_without_memory_changes_nothing)
{
	m().fail_allocation = 1;
	EXPECT_EQ(set_way(buffer_way::lock), errc::no_memory);
	EXPECT_EQ(the_buffer_ways.way(), buffer_way::rcu);
	nmi(0);
	EXPECT_EQ(ledger().live, 1u);
}

TEST_F(buffer_ways_test, the_way_may_be_chosen_before_the_start)
{
	stop();
	ASSERT_EQ(set_way(buffer_way::lock), errc::ok);
	ASSERT_EQ(the_buffer_ways.start(sleep).error(), errc::ok);
	running = true;
	nmi(0);
	EXPECT_EQ(ledger().live, 1u);
}

TEST_F(buffer_ways_test, it_does_not_start_without_memory)
{
	stop();
	const u64 live = m().live_objects();

	for (const u64 nth : {1, 2}) {
		m().fail_allocation = nth;
		EXPECT_EQ(the_buffer_ways.start(sleep).error(), errc::no_memory);
		EXPECT_EQ(m().live_objects(), live);
	}
}

TEST_F(buffer_ways_test, swaps_by_rcu_take_a_grace_period)
{
	m().grace_period_ns = 5 * ms;
	ASSERT_EQ(swap(), errc::ok);
	ASSERT_EQ(set_way(buffer_way::lock), errc::ok);
	ASSERT_EQ(swap(), errc::ok);
	EXPECT_EQ(the_buffer_ways.swaps[rcu].mean_ns(), 5 * ms);
	EXPECT_EQ(the_buffer_ways.swaps[lock].mean_ns(), 0u);
	EXPECT_EQ(the_buffer_ways.swaps[lock].count(), 1u);
}

TEST_F(buffer_ways_test, a_ledger_is_not_read_in_the_middle_of_an_nmi)
{
	const u64 began = m().now;

	nmi_meanwhile(2, [&] {
		buffer_ledger l;

		EXPECT_EQ(the_buffer_ways.read(sleep, l).error(), errc::again);
		EXPECT_EQ(the_buffer_ways.read_cpu(sleep, 1, l).error(), errc::ok);
	});
	EXPECT_GE(m().now - began, 1 * second);
	EXPECT_EQ(ledger().live, 1u);
}
