// SPDX-License-Identifier: GPL-2.0-only
#include "core_test.hpp"

#include "divider.hpp"

using nmiprof::divider;

namespace {

u64 taken(divider &d, u64 ticks, u64 tick_ns, u64 period_ns)
{
	u64 n = 0;

	for (u64 i = 0; i < ticks; i++)
		n += d.take(tick_ns, period_ns);
	return n;
}

} // namespace

TEST(divider_test, each_tick_when_the_periods_are_equal)
{
	divider d;

	EXPECT_EQ(taken(d, 1000, 1'003'009, 1'003'009), 1000u);
}

TEST(divider_test, keeps_any_slower_rate)
{
	for (u64 hz : {1u, 7u, 97u, 99u, 500u, 996u, 997u}) {
		divider d;
		const u64 n = taken(d, 997 * 100, second / 997, second / hz);

		EXPECT_NEAR(double(n), double(hz * 100), 1 + double(hz) * 0.001) << hz << " Hz";
	}
}

TEST(divider_test, samples_are_evenly_spread)
{
	divider d;
	u64 since = 0, shortest = ~u64{0}, longest = 0;

	for (unsigned int i = 0; i < 10'000; i++) {
		since++;
		if (!d.take(2, 7))
			continue;
		if (i > 7) {
			shortest = std::min(shortest, since);
			longest = std::max(longest, since);
		}
		since = 0;
	}
	EXPECT_EQ(shortest, 3u);
	EXPECT_EQ(longest, 4u);
}

// While rates change, a tick can stand for more than one period: it is one sample, and
// what it stands for beyond that is not saved up for a burst.
TEST(divider_test, a_slow_tick_is_one_sample)
{
	divider d;

	EXPECT_EQ(taken(d, 100, 10 * ms, 1 * ms), 100u);
	EXPECT_LE(taken(d, 100, 1 * ms, 10 * ms), 10u);
}

TEST(divider_test, a_change_of_rate_leaves_no_debt)
{
	divider d;

	taken(d, 9, 1 * ms, 10 * ms); // nine tenths of a period
	EXPECT_EQ(taken(d, 1000, 1 * ms, 1 * ms), 1000u);
	EXPECT_EQ(taken(d, 1000, 1 * ms, 2 * ms), 500u);
}
