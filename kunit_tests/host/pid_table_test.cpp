// SPDX-License-Identifier: GPL-2.0-only
// The PID table (demos/pid_table.hpp).
#include "core_test.hpp"

#include <utility>

#include "demos/pid_table.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

constexpr pid_way all_ways[] = {pid_way::rcu, pid_way::rwlock, pid_way::spinlock};
constexpr pid_put all_puts[] = {pid_put::after_grace_period, pid_put::at_once};

class pid_table_test : public core_test {
      protected:
	pid_table_test()
	{
		// A new one for each test, where the callbacks look for it.
		new (&the_pids) pid_table;
		the_pids.init();
	}
	~pid_table_test() override
	{
		m().on_resched = nullptr;
		the_pids.clear(sleep);
		EXPECT_EQ(the_pids.count.allocated.load_relaxed(),
			  the_pids.count.freed.load_relaxed());
		EXPECT_EQ(the_pids.waiting.size(), 0u);
		EXPECT_EQ(the_pids.count.removes.load_relaxed(),
			  the_pids.count.put_last_by_reader.load_relaxed() +
				  the_pids.count.put_last_by_callback.load_relaxed() +
				  the_pids.count.put_last_by_writer.load_relaxed());
	}
	errc insert(u32 pid)
	{
		return the_pids.insert(sleep, pid).error();
	}
	errc remove(u32 pid)
	{
		return the_pids.remove(sleep, pid).error();
	}
	pid_lookups look_up(u32 pid)
	{
		return the_pids.look_up(sleep, pid, stopping);
	}
	bool there(u32 pid)
	{
		const pid_lookups seen = look_up(pid);

		EXPECT_EQ(seen.hits + seen.misses, 1u);
		EXPECT_EQ(seen.lost_races + seen.seen_freed + seen.wrong_pid, 0u);
		return seen.hits;
	}
	pid_entry *entry_of(u32 pid)
	{
		const rcu_read_guard section;

		return the_pids.find(section, pid);
	}
	// Once, while a reader uses an entry.
	void while_in_use(const std::function<void()> &what)
	{
		the_pids.use_us.store_relaxed(10);
		m().on_resched = [this, what, done = false]() mutable {
			if (!std::exchange(done, true))
				what();
			m().run(1000);
		};
	}
	static u64 of(const kstd::atomic<kstd::uint64_t> &counter)
	{
		return counter.load_relaxed();
	}

	const may_sleep sleep = entry::process();
	kstd::atomic<kstd::uint32_t> stopping;
};

} // namespace

TEST_F(pid_table_test, is_empty_at_first)
{
	EXPECT_FALSE(there(0));
	EXPECT_FALSE(there(32767));
}

TEST_F(pid_table_test, finds_what_was_inserted_until_it_is_removed)
{
	EXPECT_EQ(insert(7), errc::ok);
	EXPECT_TRUE(there(7));
	EXPECT_FALSE(there(8));
	EXPECT_EQ(remove(7), errc::ok);
	EXPECT_FALSE(there(7));
	EXPECT_EQ(of(the_pids.count.inserts), 1u);
	EXPECT_EQ(of(the_pids.count.removes), 1u);
}

TEST_F(pid_table_test, a_pid_is_there_once)
{
	EXPECT_EQ(remove(7), errc::no_entry);
	EXPECT_EQ(insert(7), errc::ok);
	EXPECT_EQ(insert(7), errc::exists);
	EXPECT_EQ(remove(7), errc::ok);
	EXPECT_EQ(remove(7), errc::no_entry);
	EXPECT_EQ(insert(7), errc::ok) << "while the one before waits to be freed";
	EXPECT_TRUE(there(7));
}

TEST_F(pid_table_test, every_second_pid_is_there_after_filling)
{
	the_pids.pids.store_relaxed(pid_table::max_pids);
	ASSERT_EQ(the_pids.fill(sleep).error(), errc::ok);
	for (u32 pid = 0; pid < pid_table::max_pids; pid++)
		EXPECT_EQ(there(pid), pid % 2 == 0) << pid;
}

TEST_F(pid_table_test, those_of_a_bucket_do_not_disturb_each_other)
{
	// 20 in each bucket, about.
	for (u32 pid = 0; pid < 20'000; pid++)
		ASSERT_EQ(insert(pid), errc::ok);
	for (u32 pid = 0; pid < 20'000; pid += 3)
		ASSERT_EQ(remove(pid), errc::ok);
	for (u32 pid = 0; pid < 20'000; pid++)
		EXPECT_EQ(there(pid), pid % 3 != 0) << pid;
}

TEST_F(pid_table_test, neighbours_come_into_different_buckets)
{
	std::set<const void *> taken;

	the_pids.way.store_relaxed(pid_way::spinlock);
	m().on_unlock = [&](const void *lock) { taken.insert(lock); };
	for (u32 pid = 0; pid < 64; pid++)
		look_up(pid);
	m().on_unlock = nullptr;
	EXPECT_EQ(taken.size(), 64u);
}

TEST_F(pid_table_test, readers_and_writers_take_the_locks_that_they_are_told_to)
{
	ASSERT_EQ(insert(7), errc::ok);
	u64 spins = m().spin_locks;

	EXPECT_TRUE(there(7));
	EXPECT_EQ(m().spin_locks, spins) << "readers under RCU take none";
	EXPECT_EQ(m().read_locks, 0u);
	EXPECT_EQ(insert(8), errc::ok);
	EXPECT_EQ(m().write_locks, 0u);
	EXPECT_EQ(m().spin_locks, spins + 1) << "the bucket's";

	the_pids.way.store_relaxed(pid_way::rwlock);
	EXPECT_TRUE(there(7));
	EXPECT_EQ(m().read_locks, 1u);
	EXPECT_EQ(insert(9), errc::ok);
	EXPECT_EQ(remove(9), errc::ok);
	EXPECT_EQ(m().write_locks, 2u) << "a writer keeps such readers out";

	the_pids.way.store_relaxed(pid_way::spinlock);
	spins = m().spin_locks;
	EXPECT_TRUE(there(7));
	EXPECT_EQ(m().spin_locks, spins + 1);
	EXPECT_EQ(m().read_locks, 1u);
}

TEST_F(pid_table_test, a_reference_keeps_an_entry_that_is_removed)
{
	for (const pid_way way : all_ways) {
		for (const pid_put put : all_puts) {
			const u64 by_reader = of(the_pids.count.put_last_by_reader),
				  live = m().live_objects();

			the_pids.way.store_relaxed(way);
			the_pids.put.store_relaxed(put);
			ASSERT_EQ(insert(7), errc::ok);
			pid_entry *e = entry_of(7);

			while_in_use([&] {
				EXPECT_EQ(remove(7), errc::ok);
				EXPECT_EQ(insert(7), errc::ok) << "another one of that number";
				m().synchronize();
				m().synchronize();
				EXPECT_TRUE(m().is_live(e)) << "the reader's reference";
			});
			EXPECT_TRUE(there(7));
			EXPECT_EQ(of(the_pids.count.put_last_by_reader), by_reader + 1);
			EXPECT_EQ(m().is_live(e), put == pid_put::at_once)
				<< "freed at once only when no read section leads to it";
			m().synchronize();
			ASSERT_EQ(remove(7), errc::ok);
			m().synchronize();
			EXPECT_EQ(m().live_objects(), live);
			EXPECT_TRUE(m().leaked.empty());
		}
	}
}

TEST_F(pid_table_test, the_callback_puts_the_last_reference_when_nobody_uses_it)
{
	ASSERT_EQ(insert(7), errc::ok);
	const pid_entry *e = entry_of(7);

	ASSERT_EQ(remove(7), errc::ok);
	EXPECT_EQ(m().grace_periods, 0u) << "nobody waits";
	EXPECT_TRUE(m().is_live(e));
	EXPECT_EQ(the_pids.waiting.size(), 1u);
	EXPECT_EQ(of(the_pids.count.put_last_by_callback), 0u);
	m().synchronize();
	EXPECT_FALSE(m().is_live(e));
	EXPECT_EQ(the_pids.waiting.size(), 0u);
	EXPECT_EQ(of(the_pids.count.put_last_by_callback), 1u);
}

TEST_F(pid_table_test, the_writer_puts_the_last_reference_when_it_puts_at_once)
{
	the_pids.put.store_relaxed(pid_put::at_once);
	ASSERT_EQ(insert(7), errc::ok);
	const pid_entry *e = entry_of(7);

	ASSERT_EQ(remove(7), errc::ok);
	EXPECT_EQ(of(the_pids.count.put_last_by_writer), 1u);
	EXPECT_TRUE(m().is_live(e)) << "a reader may be looking at it";
	EXPECT_EQ(the_pids.waiting.size(), 1u);
	m().synchronize();
	EXPECT_FALSE(m().is_live(e));
}

TEST_F(pid_table_test, a_reader_on_a_removed_entry_gets_a_reference_while_the_put_waits)
{
	ASSERT_EQ(insert(7), errc::ok);
	pid_entry *e = nullptr;
	{
		const rcu_read_guard section;

		e = the_pids.find(section, 7);
		ASSERT_EQ(remove(7), errc::ok);
		EXPECT_TRUE(e->get_unless_zero(section));
	}
	m().synchronize();
	EXPECT_TRUE(m().is_live(e));
	EXPECT_EQ(of(the_pids.count.put_last_by_callback), 0u);
	EXPECT_TRUE(e->put());
	EXPECT_TRUE(e->unreachable) << "to be freed at once";
	// As a reader does.
	the_pids.count.put_last_by_reader.add_relaxed(1);
	the_pids.count.freed.add_relaxed(1);
	shim_object_free(e);
}

TEST_F(pid_table_test, a_reader_on_a_removed_entry_gets_none_when_it_is_put_at_once)
{
	the_pids.put.store_relaxed(pid_put::at_once);
	ASSERT_EQ(insert(7), errc::ok);
	const rcu_read_guard section;
	pid_entry *e = the_pids.find(section, 7);

	ASSERT_EQ(remove(7), errc::ok);
	EXPECT_FALSE(e->get_unless_zero(section));
}

TEST_F(pid_table_test, a_lookup_that_comes_after_the_last_put_is_a_lost_race)
{
	ASSERT_EQ(insert(7), errc::ok);
	pid_entry *e = entry_of(7);

	// As if it had been found before it was unlinked.
	ASSERT_TRUE(e->put());
	for (const pid_way way : all_ways) {
		the_pids.way.store_relaxed(way);
		const pid_lookups seen = look_up(7);

		EXPECT_EQ(seen.lost_races, 1u);
		EXPECT_EQ(seen.hits + seen.misses, 0u);
	}
	new (static_cast<rcu_counted<pid_entry> *>(e)) rcu_counted<pid_entry>;
}

TEST_F(pid_table_test, what_must_not_be_is_noticed)
{
	ASSERT_EQ(insert(7), errc::ok);
	pid_entry *e = entry_of(7);

	while_in_use([&] { e->state.store_relaxed(0); });
	pid_lookups seen = look_up(7);

	EXPECT_EQ(seen.seen_freed, 1u);
	EXPECT_EQ(seen.hits, 1u);
	e->state.store_relaxed(pid_entry::alive);
	while_in_use([&] { e->pid = 8; });
	seen = look_up(7);
	EXPECT_EQ(seen.wrong_pid, 1u);
	EXPECT_EQ(seen.seen_freed, 0u);
	e->pid = 7;
}

TEST_F(pid_table_test, an_entry_is_used_for_as_long_as_it_is_told_to)
{
	ASSERT_EQ(insert(7), errc::ok);
	while_in_use([] {});
	const u64 from = m().now;

	EXPECT_TRUE(there(7));
	EXPECT_EQ(m().now - from, 10 * us);
}

TEST_F(pid_table_test, a_reader_stops_when_told_to)
{
	ASSERT_EQ(insert(7), errc::ok);
	the_pids.use_us.store_relaxed(1'000'000);
	m().on_resched = [this] { stopping.store_relaxed(1); };
	const u64 from = m().now;

	look_up(7);
	EXPECT_EQ(m().now, from);
	const pid_lookups seen = the_pids.look_up_some(sleep, stopping);

	EXPECT_EQ(seen.hits + seen.misses, 0u);
}

TEST_F(pid_table_test, a_batch_is_of_random_pids_and_counted)
{
	the_pids.pids.store_relaxed(100);
	ASSERT_EQ(the_pids.fill(sleep).error(), errc::ok);
	the_pids.batch.store_relaxed(10'000);
	const pid_lookups seen = the_pids.look_up_some(sleep, stopping);

	EXPECT_EQ(seen.hits + seen.misses, 10'000u);
	EXPECT_NEAR(seen.hits, 5'000, 300);
	EXPECT_EQ(of(the_pids.count.hits), seen.hits);
	EXPECT_EQ(of(the_pids.count.misses), seen.misses);
	EXPECT_EQ(of(the_pids.count.seen_freed) + of(the_pids.count.wrong_pid), 0u);
}

TEST_F(pid_table_test, a_smaller_batch_counts_at_once)
{
	the_pids.batch.store_relaxed(~u32{0});
	m().on_resched = [] { the_pids.batch.store_relaxed(10); };
	EXPECT_EQ(the_pids.look_up_some(sleep, stopping).misses, 1024u);
}

TEST_F(pid_table_test, lookups_stay_within_the_pids)
{
	the_pids.pids.store_relaxed(1);
	ASSERT_EQ(insert(0), errc::ok);
	EXPECT_EQ(the_pids.look_up_some(sleep, stopping).hits, 100u);
}

TEST_F(pid_table_test, writers_insert_and_remove_by_chance)
{
	m().next_random = {4096 + 7, 1, 7, 1, 7, 0, 7, 0};
	pid_table::change done = the_pids.insert_or_remove(sleep);

	EXPECT_TRUE(done.inserts);
	EXPECT_EQ(done.error, errc::ok);
	EXPECT_TRUE(there(7));
	done = the_pids.insert_or_remove(sleep);
	EXPECT_TRUE(done.inserts);
	EXPECT_EQ(done.error, errc::exists);
	done = the_pids.insert_or_remove(sleep);
	EXPECT_FALSE(done.inserts);
	EXPECT_EQ(done.error, errc::ok);
	EXPECT_FALSE(there(7));
	EXPECT_EQ(the_pids.insert_or_remove(sleep).error, errc::no_entry);
}

TEST_F(pid_table_test, the_backlog_is_bounded)
{
	the_pids.pids.store_relaxed(50);
	the_pids.waiting.max.store_relaxed(10);
	for (const pid_put put : all_puts) {
		the_pids.put.store_relaxed(put);
		for (int i = 0; i < 500; i++) {
			the_pids.insert_or_remove(sleep);
			EXPECT_LE(the_pids.waiting.size(), 10u);
			EXPECT_LE(m().live_objects(), 50u + 11);
		}
	}
	EXPECT_GT(of(the_pids.waiting.throttled), 10u);
}

TEST_F(pid_table_test, without_memory_nothing_is_inserted)
{
	m().fail_allocations = true;
	EXPECT_EQ(insert(7), errc::no_memory);
	EXPECT_EQ(the_pids.fill(sleep).error(), errc::no_memory);
	m().fail_allocations = false;
	EXPECT_FALSE(there(7));
	EXPECT_EQ(insert(7), errc::ok);
}

TEST_F(pid_table_test, settings_change_while_entries_wait)
{
	the_pids.pids.store_relaxed(64);
	for (int i = 0; i < 2000; i++) {
		the_pids.way.store_relaxed(all_ways[i % 3]);
		the_pids.put.store_relaxed(all_puts[i / 3 % 2]);
		the_pids.insert_or_remove(sleep);
		if (i % 100 == 0)
			m().synchronize();
	}
	const pid_lookups seen = the_pids.look_up_some(sleep, stopping);

	EXPECT_EQ(seen.lost_races + seen.seen_freed + seen.wrong_pid, 0u);
}
