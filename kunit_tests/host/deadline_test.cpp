// SPDX-License-Identifier: GPL-2.0-only
// Periods and the turn (deadline.hpp).
#include "core_test.hpp"

#include <thread>

using nmiprof::deadline;

TEST(deadline_test, at_first_nothing_is_due)
{
	deadline d;

	EXPECT_FALSE(d.overdue(1'000'000 * second, 0));
	EXPECT_EQ(d.take_due(1'000'000 * second), 0u);
	EXPECT_EQ(d.due(), 0u);
}

TEST(deadline_test, one_period_after_the_other)
{
	deadline d;

	d.start(1000, 100);
	EXPECT_EQ(d.next(), 1000u);
	EXPECT_EQ(d.take_due(999), 0u);
	EXPECT_FALSE(d.overdue(999, 0));
	EXPECT_TRUE(d.overdue(1000, 0));
	EXPECT_FALSE(d.overdue(1000, 1));
	EXPECT_TRUE(d.overdue(1001, 1));
	EXPECT_EQ(d.take_due(1000), 1u);
	EXPECT_EQ(d.take_due(1000), 0u);
	EXPECT_EQ(d.take_due(1099), 0u);
	EXPECT_EQ(d.take_due(1100), 1u);
	EXPECT_EQ(d.due(), 2u);
}

TEST(deadline_test, lateness_within_a_period_does_not_drift)
{
	deadline d;

	d.start(1000, 100);
	for (u64 i = 0; i < 1000; i++)
		ASSERT_EQ(d.take_due(1000 + i * 100 + (i * 37) % 100), 1u);
	EXPECT_EQ(d.next(), 1000 + 1000 * 100u);
	EXPECT_EQ(d.due(), 1000u);
}

TEST(deadline_test, overruns_at_the_edges)
{
	for (u64 late : {0, 99, 100, 101, 199, 200, 1000, 1001, 99999}) {
		deadline d;

		d.start(1000, 100);
		EXPECT_EQ(d.take_due(1000 + late), late / 100 + 1) << late;
		EXPECT_GT(d.next(), 1000 + late);
		EXPECT_LE(d.next(), 1000 + late + 100);
		EXPECT_EQ((d.next() - 1000) % 100, 0u);
	}
}

TEST(deadline_test, huge_gaps)
{
	constexpr u64 century = 100ULL * 366 * 86400 * second, period = 10'000;
	deadline d;

	d.start(1 * second, period);
	EXPECT_EQ(d.take_due(century), (century - 1 * second) / period + 1);
	EXPECT_EQ(d.due(), (century - 1 * second) / period + 1);
	EXPECT_EQ(d.take_due(century), 0u);
	EXPECT_GT(d.next(), century);

	// Any gap: exactly the multiples that lie in it.
	u64 now = century, counted = d.due(), random = 7;
	for (int i = 0; i < 1000; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		now += (random >> 33) * ((random >> 20) % 1000);
		counted += d.take_due(now);
		ASSERT_EQ(counted, (now - 1 * second) / period + 1);
		ASSERT_EQ(d.due(), counted);
	}
}

TEST(deadline_test, stop_and_start_keep_the_sum)
{
	deadline d;

	d.start(1000, 100);
	EXPECT_EQ(d.take_due(1250), 3u);
	d.stop();
	EXPECT_EQ(d.due(), 3u);
	EXPECT_EQ(d.take_due(~0ULL >> 2), 0u);
	EXPECT_FALSE(d.overdue(~0ULL >> 2, 0));
	d.stop();
	EXPECT_EQ(d.due(), 3u);
	d.start(5000, 7);
	EXPECT_EQ(d.due(), 3u);
	EXPECT_EQ(d.take_due(5000), 1u);
	EXPECT_EQ(d.due(), 4u);
	d.start(6000, 9); // without a stop: another period
	EXPECT_EQ(d.due(), 4u);
	EXPECT_EQ(d.take_due(6018), 3u);
	EXPECT_EQ(d.due(), 7u);
}

TEST(deadline_test, slack_of_an_idle_deadline_does_not_overflow)
{
	deadline d;

	d.start(1000, 100);
	d.stop();
	EXPECT_FALSE(d.overdue(1'000'000 * second, 250'000'000));
}

TEST(deadline_test, one_has_the_turn_at_a_time)
{
	deadline d;

	EXPECT_FALSE(d.in_turn());
	EXPECT_TRUE(d.try_begin());
	EXPECT_TRUE(d.in_turn());
	EXPECT_FALSE(d.try_begin());
	d.end();
	EXPECT_FALSE(d.in_turn());
	EXPECT_TRUE(d.try_begin());
	d.end();
}

TEST(deadline_test, a_reader_notices_a_turn)
{
	deadline d;
	const u64 before = d.read_begin();

	EXPECT_FALSE(d.changed_since(before));
	ASSERT_TRUE(d.try_begin());
	EXPECT_TRUE(d.changed_since(before));
	const u64 meanwhile = d.read_begin();
	EXPECT_TRUE(d.changed_since(meanwhile)) << "read in somebody's turn";
	d.end();
	EXPECT_TRUE(d.changed_since(before));
	EXPECT_TRUE(d.changed_since(meanwhile));
}

// Real threads: of all that try, one takes each period.
TEST(deadline_test, two_servers_take_each_period_once)
{
	constexpr u64 periods = 20'000;
	deadline d;
	u64 served[2] = {};

	d.start(1, 1);
	const auto serve = [&](u64 &count) {
		for (u64 now = 1; now <= periods; now++) {
			while (d.overdue(now, 0)) {
				if (!d.try_begin())
					continue;
				const u64 taken = d.take_due(now);

				count += taken;
				d.sent.add(taken);
				d.end();
			}
		}
	};
	std::thread other(serve, std::ref(served[1]));
	serve(served[0]);
	other.join();
	EXPECT_EQ(served[0] + served[1], periods);
	EXPECT_EQ(d.due(), periods);
	EXPECT_EQ(d.sent.get(), periods) << "writers with the turn do not disturb each other";
}
