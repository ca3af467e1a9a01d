// SPDX-License-Identifier: GPL-2.0-only
// The person list (demos/person_list.hpp).
#include "core_test.hpp"

#include "demos/person_list.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

class person_list_test : public core_test {
      protected:
	person_list_test()
	{
		// A new one for each test, where the callbacks look for it.
		new (&the_persons) person_list;
		the_persons.init();
	}
	~person_list_test() override
	{
		the_persons.clear(lock(), sleep);
		update_lock_.reset();
		the_persons.waiting.settle(sleep);
		EXPECT_EQ(the_persons.count.allocated.load_relaxed(),
			  the_persons.count.freed.load_relaxed());
		EXPECT_EQ(the_persons.waiting.size(), 0u);
	}
	const update_lock &lock()
	{
		if (!update_lock_)
			update_lock_ = std::make_unique<update_lock>(sleep);
		return *update_lock_;
	}
	errc resize(u64 size)
	{
		return the_persons.resize(lock(), sleep, size).error();
	}
	errc update()
	{
		return the_persons.update(sleep).error();
	}
	outcome scan(contest what)
	{
		return the_persons.scan(what, going_on);
	}
	std::vector<traits> people()
	{
		std::vector<traits> all;
		traits p;

		while (the_persons.look(all.size(), p))
			all.push_back(p);
		return all;
	}
	void expect_winner_of(contest what, double (*score)(const traits &),
			      bool (*takes_part)(const traits &))
	{
		const outcome seen = scan(what);
		u64 skipped = 0;
		double best = -1e9;

		for (const traits &p : people()) {
			if (takes_part(p))
				best = std::max(best, score(p));
			else
				skipped++;
		}
		EXPECT_TRUE(seen.any);
		EXPECT_EQ(seen.persons, people().size());
		EXPECT_EQ(seen.skipped, skipped);
		EXPECT_DOUBLE_EQ(score(seen.winner), best);
	}

	const may_sleep sleep = entry::process();
	const kstd::atomic<kstd::uint32_t> going_on;

      private:
	std::unique_ptr<update_lock> update_lock_;
};

bool same(const traits &a, const traits &b)
{
	return a.num == b.num && a.age == b.age && a.iq == b.iq && a.money == b.money;
}

bool has_age(const traits &p)
{
	return p.age != 0;
}

bool has_iq(const traits &p)
{
	return p.iq != 0;
}

} // namespace

TEST_F(person_list_test, is_empty_at_first)
{
	EXPECT_EQ(the_persons.size(), 0u);
	EXPECT_FALSE(scan(contest::iq_minus_age).any);
	EXPECT_EQ(people().size(), 0u);
}

TEST_F(person_list_test, has_as_many_as_it_is_told)
{
	for (const u64 size : {1, 511, 512, 513, 2000, 1024, 1023, 5}) {
		EXPECT_EQ(resize(size), errc::ok);
		EXPECT_EQ(the_persons.size(), size);
		EXPECT_EQ(people().size(), size);
		EXPECT_EQ(scan(contest::iq_minus_age).persons, size);
	}
}

TEST_F(person_list_test, those_who_stay_are_the_same)
{
	ASSERT_EQ(resize(1000), errc::ok);
	const std::vector<traits> before = people();

	ASSERT_EQ(resize(3000), errc::ok);
	ASSERT_EQ(resize(700), errc::ok);
	for (const traits &p : people())
		EXPECT_TRUE(same(p, before[p.num])) << p.num;
}

TEST_F(person_list_test, properties_are_in_range)
{
	ASSERT_EQ(resize(5000), errc::ok);
	u64 num = 0;

	for (const traits &p : people()) {
		EXPECT_EQ(p.num, num++);
		EXPECT_LT(p.age, 100u);
		EXPECT_LT(p.iq, 256u);
		EXPECT_LT(p.money, 1'000'000u);
	}
}

TEST_F(person_list_test, random_numbers_are_unsigned)
{
	m().next_random = {0xffffffffu, 0xffffffffu, 0xffffffffu};
	ASSERT_EQ(resize(1), errc::ok);
	EXPECT_EQ(people()[0].age, 0xffffffffu % 100);
	EXPECT_EQ(people()[0].iq, 0xffffffffu % 256);
}

TEST_F(person_list_test, readers_find_the_winners)
{
	ASSERT_EQ(resize(3000), errc::ok);
	for (int round = 0; round < 50; round++) {
		expect_winner_of(
			contest::money_per_age,
			[](const traits &p) { return double{1} * p.money / p.age; }, has_age);
		expect_winner_of(
			contest::money_per_iq,
			[](const traits &p) { return double{1} * p.money / p.iq; }, has_iq);
		expect_winner_of(
			contest::iq_minus_age,
			[](const traits &p) { return double{1} * p.iq - p.age; },
			[](const traits &) { return true; });
		ASSERT_EQ(update(), errc::ok);
	}
}

TEST_F(person_list_test, a_winner_may_be_below_zero)
{
	m().next_random = {90, 10, 5}; // age, iq, money
	ASSERT_EQ(resize(1), errc::ok);
	const outcome seen = scan(contest::iq_minus_age);

	EXPECT_TRUE(seen.any);
	EXPECT_EQ(seen.winner.age, 90u);
}

TEST_F(person_list_test, nobody_wins_when_all_divisors_are_zero)
{
	m().next_random = {0, 0, 5, 0, 0, 7};
	ASSERT_EQ(resize(2), errc::ok);
	for (const contest what : {contest::money_per_age, contest::money_per_iq}) {
		EXPECT_FALSE(scan(what).any);
		EXPECT_EQ(scan(what).skipped, 2u);
	}
	EXPECT_TRUE(scan(contest::iq_minus_age).any);
}

TEST_F(person_list_test, an_update_replaces_one_person_in_list_and_index)
{
	ASSERT_EQ(resize(600), errc::ok);
	const std::vector<traits> before = people();

	m().next_random = {7, 200, 123456, 555}; // age, iq, money, whom
	ASSERT_EQ(update(), errc::ok);
	const std::vector<traits> after = people();

	for (u64 i = 0; i < 600; i++)
		EXPECT_EQ(same(before[i], after[i]), i != 555) << i;
	EXPECT_TRUE(same(after[555], {555, 7, 200, 123456}));
	EXPECT_EQ(scan(contest::iq_minus_age).persons, 600u);
	m().next_random = {1, 200, 999'999, 555};
	ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(scan(contest::money_per_age).winner.num, 555u) << "in the list as well";
}

TEST_F(person_list_test, synchronize_waits_and_frees)
{
	ASSERT_EQ(resize(10), errc::ok);
	const u64 live = m().live_objects(), waits = m().grace_periods;

	m().grace_period_ns = 5 * ms;
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(m().grace_periods, waits + 3);
	EXPECT_EQ(m().live_objects(), live);
	EXPECT_EQ(the_persons.waiting.size(), 0u);
	EXPECT_EQ(the_persons.count.updates[0].load_relaxed(), 3u);
	EXPECT_EQ(the_persons.grace_periods(reclaim_way::synchronize).mean_ns(), 5 * ms);
	EXPECT_EQ(the_persons.grace_periods(reclaim_way::synchronize).in_bucket(12), 3u)
		<< "4096 us on";
}

TEST_F(person_list_test, call_rcu_does_not_wait)
{
	ASSERT_EQ(resize(10), errc::ok);
	const u64 live = m().live_objects(), waits = m().grace_periods;

	the_persons.way.store_relaxed(reclaim_way::call);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(m().grace_periods, waits);
	EXPECT_EQ(m().live_objects(), live + 3);
	EXPECT_EQ(the_persons.waiting.size(), 3u);
	m().run(2 * ms);
	m().synchronize();
	EXPECT_EQ(the_persons.waiting.size(), 0u);
	EXPECT_EQ(m().live_objects(), live);
	EXPECT_EQ(the_persons.grace_periods(reclaim_way::call).count(), 3u);
	EXPECT_GE(the_persons.grace_periods(reclaim_way::call).mean_ns(), 2 * ms);
}

TEST_F(person_list_test, kfree_rcu_does_not_wait)
{
	ASSERT_EQ(resize(10), errc::ok);
	const u64 live = m().live_objects(), waits = m().grace_periods;

	the_persons.way.store_relaxed(reclaim_way::kfree);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(m().grace_periods, waits);
	EXPECT_EQ(the_persons.waiting.size(), 3u);
	m().synchronize();
	EXPECT_EQ(m().live_objects(), live);
	ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(the_persons.waiting.size(), 3u) << "only the first was named when its wait began";
	the_persons.waiting.settle(sleep);
	EXPECT_EQ(the_persons.waiting.size(), 0u);
}

TEST_F(person_list_test, ways_are_changed_while_objects_wait)
{
	ASSERT_EQ(resize(100), errc::ok);
	for (int i = 0; i < 300; i++) {
		the_persons.way.store_relaxed(static_cast<reclaim_way>(i % 3));
		ASSERT_EQ(update(), errc::ok);
	}
	EXPECT_EQ(scan(contest::iq_minus_age).persons, 100u);
}

TEST_F(person_list_test, the_backlog_is_bounded)
{
	ASSERT_EQ(resize(100), errc::ok);
	the_persons.waiting.max.store_relaxed(10);
	for (const reclaim_way way : {reclaim_way::call, reclaim_way::kfree}) {
		const u64 live = m().live_objects();

		the_persons.way.store_relaxed(way);
		for (int i = 0; i < 100; i++) {
			ASSERT_EQ(update(), errc::ok);
			EXPECT_LE(the_persons.waiting.size(), 10u);
			EXPECT_LE(m().live_objects(), live + 11);
		}
		the_persons.waiting.settle(sleep);
	}
	EXPECT_GT(the_persons.waiting.throttled.load_relaxed(), 10u);
}

TEST_F(person_list_test, an_update_without_memory_changes_nothing)
{
	ASSERT_EQ(resize(10), errc::ok);
	const std::vector<traits> before = people();

	m().fail_allocations = true;
	EXPECT_EQ(update(), errc::no_memory);
	m().fail_allocations = false;
	for (const traits &p : people())
		EXPECT_TRUE(same(p, before[p.num]));
}

TEST_F(person_list_test, resizing_changes_nothing_whichever_allocation_fails)
{
	ASSERT_EQ(resize(600), errc::ok);
	const u64 live = m().live_objects(), persons = 700;

	for (u64 nth = 1; nth < 700; nth += nth < 3 ? 1 : 97) {
		m().fail_allocation = nth;
		EXPECT_EQ(resize(600 + persons), errc::no_memory);
		EXPECT_EQ(m().live_objects(), live);
		EXPECT_EQ(the_persons.size(), 600u);
		EXPECT_EQ(scan(contest::iq_minus_age).persons, 600u);
	}
}

TEST_F(person_list_test, more_than_the_machine_has_is_refused_before_anything_is_allocated)
{
	m().memory_available = 65 << 20;
	EXPECT_EQ(resize(10), errc::ok);
	const u64 allocations = m().allocations;

	EXPECT_EQ(resize(100'000), errc::no_memory);
	EXPECT_EQ(m().allocations, allocations);
	EXPECT_EQ(the_persons.size(), 10u);
}

TEST_F(person_list_test, a_walk_is_given_up_when_told_to)
{
	const kstd::atomic<kstd::uint32_t> stopping(1);

	ASSERT_EQ(resize(1000), errc::ok);
	EXPECT_FALSE(the_persons.scan(contest::iq_minus_age, stopping).any);
	EXPECT_EQ(the_persons.scan(contest::iq_minus_age, stopping).persons, 0u);
}

TEST_F(person_list_test, readers_take_the_lock_that_they_are_told_to)
{
	ASSERT_EQ(resize(10), errc::ok);
	u64 spins = m().spin_locks;

	scan(contest::iq_minus_age);
	EXPECT_EQ(m().read_locks, 0u);
	EXPECT_EQ(m().spin_locks, spins) << "readers under RCU take none";
	the_persons.readers_use.store_relaxed(protection::rwlock);
	EXPECT_EQ(scan(contest::iq_minus_age).persons, 10u);
	EXPECT_EQ(m().read_locks, 1u);
	ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(m().write_locks, 1u) << "a writer keeps such readers out";
	spins = m().spin_locks;
	the_persons.readers_use.store_relaxed(protection::spinlock);
	EXPECT_EQ(scan(contest::iq_minus_age).persons, 10u);
	EXPECT_EQ(m().spin_locks, spins + 1);
	ASSERT_EQ(update(), errc::ok);
	EXPECT_EQ(m().write_locks, 1u);
}

TEST_F(person_list_test, an_update_takes_as_many_steps_in_a_long_list_as_in_a_short_one)
{
	u64 locks[2], allocations[2], at = 0;

	for (const u64 size : {10, 20'000}) {
		ASSERT_EQ(resize(size), errc::ok);
		const u64 before = m().spin_locks, had = m().allocations;

		ASSERT_EQ(update(), errc::ok);
		locks[at] = m().spin_locks - before;
		allocations[at++] = m().allocations - had;
	}
	EXPECT_EQ(locks[0], locks[1]);
	EXPECT_EQ(allocations[0], allocations[1]);
}

TEST(durations_test, by_powers_of_two)
{
	durations d;

	EXPECT_EQ(d.mean_ns(), 0u);
	for (const u64 us : {0, 1, 2, 3, 1024, 2047})
		d.add(us * 1000);
	d.add(~u64{0});
	EXPECT_EQ(d.count(), 7u);
	EXPECT_EQ(d.in_bucket(0), 2u);
	EXPECT_EQ(d.in_bucket(1), 2u);
	EXPECT_EQ(d.in_bucket(10), 2u);
	EXPECT_EQ(d.in_bucket(31), 1u);
	EXPECT_EQ(d.longest_ns(), ~u64{0});
}
