// SPDX-License-Identifier: GPL-2.0-only
// Waiting for grace periods (demos/grace_periods.hpp).
#include "core_test.hpp"

#include <future>
#include <thread>

#include "demo_shims.hpp"
#include "demos/grace_periods.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

constexpr wait_way all_ways[] = {wait_way::synchronize, wait_way::expedited, wait_way::call,
				 wait_way::polled};

class grace_periods_test : public core_test {
      protected:
	grace_periods_test()
	{
		// A new one for each test, the only one there is.
		new (&the_grace_periods) grace_periods;
		the_grace_periods.init();
		EXPECT_EQ(the_grace_periods.start(sleep).error(), errc::ok);
		sim::on_poll = [this] {
			if (++polls % 3 == 0)
				m().synchronize();
		};
	}
	~grace_periods_test() override
	{
		sim::on_poll = nullptr;
		m().on_relax = nullptr;
		m().in_grace_period = nullptr;
		the_grace_periods.stop(sleep);
		EXPECT_EQ(the_grace_periods.objects.allocated.load_relaxed(),
			  the_grace_periods.objects.freed.load_relaxed());
	}
	errc renew()
	{
		return the_grace_periods.renew(sleep).error();
	}
	void look(unsigned int reader = 0, u64 hold_us = 0)
	{
		the_grace_periods.look(reader, hold_us, stopping);
	}
	static const durations &waits(wait_way way)
	{
		return the_grace_periods.waits[static_cast<unsigned int>(way)];
	}

	const may_sleep sleep = entry::process();
	kstd::atomic<kstd::uint32_t> stopping;
	u64 polls = 0;
};

// A reader, on a thread of its own, that stays in its section until it is told to leave.
class long_reader {
      public:
	long_reader(sim::machine &m, unsigned int nr) : m_(m)
	{
		m.on_relax = [this] {
			if (entered)
				return;
			entered = true;
			entered_.set_value();
			may_leave_.get_future().wait();
			m_.now += 1000;
		};
		thread_ = std::thread([nr] {
			const kstd::atomic<kstd::uint32_t> going_on;

			the_grace_periods.look(nr, 1, going_on);
		});
		entered_.get_future().wait();
	}
	~long_reader()
	{
		leave();
		m_.on_relax = nullptr;
	}
	long_reader(const long_reader &) = delete;
	long_reader &operator=(const long_reader &) = delete;

	void leave()
	{
		if (!thread_.joinable())
			return;
		may_leave_.set_value();
		thread_.join();
	}

      private:
	sim::machine &m_;
	bool entered = false;
	std::promise<void> entered_, may_leave_;
	std::thread thread_;
};

} // namespace

TEST_F(grace_periods_test, each_way_waits_for_one_grace_period_and_frees)
{
	m().grace_period_ns = 5 * ms;
	for (const wait_way way : all_ways) {
		SCOPED_TRACE(static_cast<int>(way));
		const u64 live = m().live_objects(), before = m().grace_periods;

		the_grace_periods.way.store_relaxed(way);
		ASSERT_EQ(renew(), errc::ok);
		EXPECT_EQ(m().grace_periods, before + 1);
		EXPECT_EQ(m().live_objects(), live);
		EXPECT_EQ(waits(way).count(), 1u);
		EXPECT_GE(waits(way).mean_ns(), 5 * ms);
		EXPECT_LE(waits(way).mean_ns(), 8 * ms);
	}
	EXPECT_EQ(m().expedited, 1u);
	EXPECT_EQ(polls, 3u) << "asked until it was over";
}

TEST_F(grace_periods_test, a_waiter_waits_for_readers_of_what_it_frees)
{
	for (const wait_way way : all_ways) {
		SCOPED_TRACE(static_cast<int>(way));
		long_reader reader(m(), 1);

		the_grace_periods.way.store_relaxed(way);
		m().in_grace_period = [&] { reader.leave(); };
		ASSERT_EQ(renew(), errc::ok);
		m().in_grace_period = nullptr;
	}
	EXPECT_EQ(the_grace_periods.returned_early.load_relaxed(), 0u);
	EXPECT_EQ(the_grace_periods.seen_freed(), 0u);
	EXPECT_EQ(the_grace_periods.seen_by(1).looks, 4u);
	EXPECT_EQ(the_grace_periods.seen_by(1).versions_longest, 1u);
}

TEST_F(grace_periods_test, readers_note_how_far_they_were_behind)
{
	m().run(3 * ms);
	look(2);
	EXPECT_EQ(the_grace_periods.seen_by(2).versions_sum, 0u);
	{
		long_reader reader(m(), 2);

		m().run(4 * ms);
		m().in_grace_period = [&] { reader.leave(); };
		ASSERT_EQ(renew(), errc::ok);
		m().in_grace_period = nullptr;
	}
	look(2);
	const staleness seen = the_grace_periods.seen_by(2);

	EXPECT_EQ(seen.looks, 3u);
	EXPECT_EQ(seen.versions_sum, 1u);
	EXPECT_EQ(seen.versions_longest, 1u);
	EXPECT_EQ(seen.ns_sum, 7 * ms) << "from publication to publication";
	EXPECT_EQ(seen.ns_longest, 7 * ms);
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 0u);
	look(0);
	EXPECT_EQ(the_grace_periods.seen_by_all().looks, 4u);
	EXPECT_EQ(the_grace_periods.seen_by_all().versions_longest, 1u);
	EXPECT_EQ(the_grace_periods.seen_by_all().ns_sum, 7 * ms);
}

TEST_F(grace_periods_test, no_version_is_younger_than_the_one_that_replaces_it)
{
	long_reader reader(m(), 2);

	// The clock of the waiter's CPU is behind that of the first publisher's.
	m().now -= 100;
	m().in_grace_period = [&] {
		m().now += 100;
		reader.leave();
	};
	ASSERT_EQ(renew(), errc::ok);
	m().in_grace_period = nullptr;
	EXPECT_EQ(the_grace_periods.seen_by(2).versions_sum, 1u);
	EXPECT_EQ(the_grace_periods.seen_by(2).ns_longest, 0u);
}

// The machine's grace periods do not wait for a reader that runs on the same thread: as
// the kernel's would be if they were broken.
TEST_F(grace_periods_test, a_wait_that_returns_early_is_noticed)
{
	for (const wait_way way : all_ways) {
		SCOPED_TRACE(static_cast<int>(way));
		sim::keep_freed kept;
		const u64 early = the_grace_periods.returned_early.load_relaxed();
		const u64 freed = the_grace_periods.seen_freed();

		the_grace_periods.way.store_relaxed(way);
		m().on_relax = [&] {
			sim::in_context level(sim::context::process);

			ASSERT_EQ(renew(), errc::ok);
			ASSERT_EQ(renew(), errc::ok);
			m().now += 1000;
		};
		look(0, 1);
		m().on_relax = nullptr;
		EXPECT_EQ(the_grace_periods.returned_early.load_relaxed(), early + 2)
			<< "an older one than that which is freed counts as well";
		EXPECT_EQ(the_grace_periods.seen_freed(), freed + 1);
	}
}

TEST_F(grace_periods_test, a_reader_of_the_new_version_is_no_matter)
{
	std::unique_ptr<long_reader> reader;

	m().in_grace_period = [&] { reader = std::make_unique<long_reader>(m(), 0); };
	ASSERT_EQ(renew(), errc::ok); // the reader is still inside
	m().in_grace_period = nullptr;
	reader.reset();
	EXPECT_EQ(the_grace_periods.returned_early.load_relaxed(), 0u);
	EXPECT_EQ(the_grace_periods.seen_by(0).versions_sum, 0u);
}

TEST_F(grace_periods_test, readers_stay_as_long_as_they_are_told_to)
{
	const u64 began = m().now;

	m().on_relax = [&] { m().now += 10 * us; };
	look(0, 250);
	EXPECT_EQ(m().now - began, 250 * us);
}

TEST_F(grace_periods_test, a_reader_leaves_as_soon_as_it_shall_stop)
{
	const u64 began = m().now;

	m().on_relax = [&] {
		m().now += 10 * us;
		stopping.store_relaxed(1);
	};
	look(0, 1'000'000);
	EXPECT_EQ(m().now - began, 10 * us);
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 1u);
}

TEST_F(grace_periods_test, without_memory_nothing_is_published)
{
	const u64 before = m().grace_periods;

	m().fail_allocation = 1;
	EXPECT_EQ(renew(), errc::no_memory);
	EXPECT_EQ(m().grace_periods, before);
	look();
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 1u);
}

TEST_F(grace_periods_test, each_run_begins_at_zero)
{
	look();
	ASSERT_EQ(renew(), errc::ok);
	the_grace_periods.stop(sleep);
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 1u) << "to be read when it has stopped";
	m().fail_allocation = 1;
	EXPECT_EQ(the_grace_periods.start(sleep).error(), errc::no_memory);
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 1u);
	ASSERT_EQ(the_grace_periods.start(sleep).error(), errc::ok);
	EXPECT_EQ(the_grace_periods.seen_by(0).looks, 0u);
	EXPECT_EQ(waits(wait_way::synchronize).count(), 0u);
}
