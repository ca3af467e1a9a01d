// SPDX-License-Identifier: GPL-2.0-only
// Type-safe memory (typesafe.hpp), and the slots that use it (demos/slot_table.hpp).
#include "core_test.hpp"

#include "demos/slot_table.hpp"
#include "demos/typesafe.h"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

// Another CPU's turn, while the reader is about to take a lock.
class typesafe_base : public core_test {
      protected:
	void before_the_next_lock(std::function<void()> elsewhere)
	{
		m().before_spin_lock = [elsewhere = std::move(elsewhere)] {
			sim::in_context other_cpu(sim::context::process);

			elsewhere();
		};
	}

	const may_sleep sleep = entry::process();
};

// Objects of two slots, by hand.
class typesafe_test : public typesafe_base {
      protected:
	typesafe_test()
	{
		EXPECT_TRUE(cache.create(sleep, "test"));
		for (uint32_t slot = 0; slot < 2; slot++)
			slots[slot].exchange(make(slot));
	}
	~typesafe_test() override
	{
		for (auto &slot : slots)
			if (reused_object *o = slot.exchange(nullptr))
				free(o);
		cache.destroy(sleep);
	}
	reused_object *make(uint32_t slot)
	{
		reused_object *o = cache.alloc(sleep);
		const spin_guard held(o->lock);

		o->is = {slot, 0, 1, ~u64{1}};
		return o;
	}
	void free(reused_object *o)
	{
		{
			const spin_guard held(o->lock);

			o->is.dead = 1;
		}
		cache.free(o);
	}
	void replace(uint32_t slot)
	{
		free(slots[slot].exchange(make(slot)));
	}
	// The object of slot 0 dies, and its memory comes to life again in slot 1.
	void move_memory_to_slot_1()
	{
		const reused_object *was = at(0);

		replace(0);
		replace(1);
		ASSERT_EQ(at(1), was) << "reused at once";
	}
	reused_object *at(uint32_t slot)
	{
		const rcu_read_guard section;

		return slots[slot].find(section);
	}
	bool read(uint32_t slot)
	{
		return slots[slot].with(
			[&](const reused_object &o) { seen.check(o.is, slot); },
			[&](const reused_object &other) { (other.is.dead ? dead : reused)++; });
	}
	// What with() must not be: it takes for granted that it found the object that it locked.
	void read_without_looking_again(uint32_t slot)
	{
		const rcu_read_guard section;
		reused_object *found = slots[slot].find(section);
		const spin_guard held(found->lock);

		seen.check(found->is, slot);
	}

	typesafe_cache<reused_object> cache;
	typesafe_ptr<reused_object> slots[2];
	broken_promises seen;
	int dead = 0, reused = 0;
};

} // namespace

TEST_F(typesafe_test, a_reader_locks_what_it_found_and_uses_it)
{
	const u64 locks = m().spin_locks;

	EXPECT_TRUE(read(0));
	EXPECT_EQ(m().spin_locks, locks + 1);
	EXPECT_EQ(dead + reused, 0);
	EXPECT_EQ(seen.wrong_slot.load_relaxed(), 0u);
}

TEST_F(typesafe_test, nothing_there_is_nothing_to_use)
{
	free(slots[0].exchange(nullptr));
	EXPECT_FALSE(read(0));
	EXPECT_EQ(dead + reused, 0);
}

TEST_F(typesafe_test, who_locked_a_dead_object_tries_again)
{
	before_the_next_lock([&] { replace(0); });
	EXPECT_TRUE(read(0));
	EXPECT_EQ(dead, 1);
	EXPECT_EQ(reused, 0);
	EXPECT_EQ(seen.seen_dead.load_relaxed(), 0u);
}

TEST_F(typesafe_test, who_locked_another_slots_object_tries_again)
{
	before_the_next_lock([&] { move_memory_to_slot_1(); });
	EXPECT_TRUE(read(0));
	EXPECT_EQ(dead, 0);
	EXPECT_EQ(reused, 1);
	EXPECT_EQ(seen.wrong_slot.load_relaxed(), 0u);
}

TEST_F(typesafe_test, an_object_taken_away_meanwhile_is_not_used)
{
	before_the_next_lock([&] { free(slots[0].exchange(nullptr)); });
	EXPECT_FALSE(read(0));
	EXPECT_EQ(dead, 1);
}

TEST_F(typesafe_test, memory_that_is_back_in_its_slot_is_the_right_object)
{
	before_the_next_lock([&] {
		replace(0);
		replace(0);
	});
	EXPECT_TRUE(read(0));
	EXPECT_EQ(dead + reused, 0);
	EXPECT_EQ(seen.wrong_slot.load_relaxed() + seen.seen_dead.load_relaxed(), 0u);
}

TEST_F(typesafe_test, a_reader_that_does_not_look_again_uses_a_dead_object)
{
	before_the_next_lock([&] { replace(0); });
	read_without_looking_again(0);
	EXPECT_EQ(seen.seen_dead.load_relaxed(), 1u);
}

TEST_F(typesafe_test, a_reader_that_does_not_look_again_uses_another_slots_object)
{
	before_the_next_lock([&] { move_memory_to_slot_1(); });
	read_without_looking_again(0);
	EXPECT_EQ(seen.wrong_slot.load_relaxed(), 1u);
}

TEST_F(typesafe_test, the_lock_is_made_with_the_memory_and_never_again)
{
	const u64 made = m().locks_initialised;

	for (int i = 0; i < 10; i++)
		replace(0);
	EXPECT_EQ(m().locks_initialised, made + 1) << "two in slots, one in turn for both";
}

TEST_F(typesafe_test, each_broken_promise_is_counted_by_itself)
{
	broken_promises b;

	b.check({3, 0, 7, ~u64{7}}, 3);
	EXPECT_EQ(b.seen_dead.load_relaxed() + b.torn.load_relaxed() + b.wrong_slot.load_relaxed(),
		  0u);
	b.check({3, 1, 7, ~u64{7}}, 3);
	EXPECT_EQ(b.seen_dead.load_relaxed(), 1u);
	b.check({3, 0, 7, ~u64{8}}, 3);
	EXPECT_EQ(b.torn.load_relaxed(), 1u);
	b.check({3, 0, 7, ~u64{7}}, 4);
	EXPECT_EQ(b.wrong_slot.load_relaxed(), 1u);
}

namespace {

class slot_table_test : public typesafe_base {
      protected:
	slot_table_test()
	{
		new (&the_slots) slot_table;
		typesafe_init();
		EXPECT_EQ(typesafe_fill(), 0);
	}
	~slot_table_test() override
	{
		typesafe_clear();
		shim_rcu_barrier();
		const typesafe_counts c = counts();

		EXPECT_EQ(allocated(), freed());
		EXPECT_EQ(c.waiting, 0u);
		EXPECT_EQ(c.seen_dead + c.torn + c.wrong_slot, 0u);
	}
	void use(lookup how)
	{
		typesafe_set(TYPESAFE_WAY, static_cast<u64>(how));
	}
	typesafe_reads read(u64 times = 1)
	{
		typesafe_reads done;

		typesafe_read(times, &done);
		return done;
	}
	u64 replace(u64 times = 1)
	{
		return typesafe_replace(times);
	}
	// The next that is random: which slot.
	void next(std::initializer_list<u32> slots)
	{
		m().next_random.insert(m().next_random.end(), slots);
	}
	typesafe_counts counts()
	{
		typesafe_counts c;

		typesafe_count(&c);
		return c;
	}

	static u64 allocated()
	{
		return the_slots.count.allocated.load_relaxed();
	}
	static u64 freed()
	{
		return the_slots.count.freed.load_relaxed();
	}

	static constexpr lookup all_ways[] = {lookup::typesafe, lookup::rcu, lookup::global_lock};
};

} // namespace

TEST_F(slot_table_test, readers_find_each_slots_own_object_however_often_it_is_replaced)
{
	for (const lookup way : all_ways) {
		use(way);
		for (int i = 0; i < 50; i++) {
			EXPECT_EQ(replace(20), 20u);
			EXPECT_EQ(read(20).retries, 0u) << "nobody else is at work";
		}
	}
	EXPECT_EQ(counts().reads.done, 3 * 50 * 20u);
	EXPECT_EQ(counts().replaces, 3 * 50 * 20u);
}

TEST_F(slot_table_test, typesafe_frees_at_once)
{
	const u64 live = m().live_objects(), waits = m().grace_periods;

	EXPECT_EQ(replace(100), 100u);
	EXPECT_LE(m().live_objects(), live + 1) << "the same memory again and again";
	EXPECT_EQ(m().grace_periods, waits);
	EXPECT_EQ(allocated() - freed(), 3 * slot_table::max_slots);
	EXPECT_EQ(counts().waiting, 0u);
}

TEST_F(slot_table_test, a_retry_is_counted_and_whether_the_memory_was_in_use_again)
{
	next({0});
	before_the_next_lock([&] {
		next({0});
		replace();
	});
	typesafe_reads done = read();

	EXPECT_EQ(done.retries, 1u);
	EXPECT_EQ(done.reused, 0u);
	next({0});
	before_the_next_lock([&] {
		next({0, 1});
		replace(2);
	});
	done = read();
	EXPECT_EQ(done.retries, 1u);
	EXPECT_EQ(done.reused, 1u);
	EXPECT_EQ(counts().reads.retries, 2u);
	EXPECT_EQ(counts().reads.reused, 1u);
}

TEST_F(slot_table_test, under_rcu_no_reader_takes_a_lock_and_no_writer_waits)
{
	use(lookup::rcu);
	const u64 locks = m().spin_locks, live = m().live_objects(), waits = m().grace_periods;

	read(100);
	EXPECT_EQ(m().spin_locks, locks);
	EXPECT_EQ(replace(100), 100u);
	EXPECT_EQ(m().grace_periods, waits);
	EXPECT_EQ(m().live_objects(), live + 100);
	EXPECT_EQ(counts().waiting, 100u);
	m().synchronize();
	EXPECT_EQ(m().live_objects(), live);
}

TEST_F(slot_table_test, under_rcu_what_waits_to_be_freed_is_bounded)
{
	use(lookup::rcu);
	typesafe_set(TYPESAFE_BACKLOG_MAX, 250);
	EXPECT_EQ(typesafe_get(TYPESAFE_BACKLOG_MAX), 250u);
	const u64 live = m().live_objects();

	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(replace(100), 100u);
		EXPECT_LE(counts().waiting, 250u);
		EXPECT_LE(m().live_objects(), live + 250);
	}
	EXPECT_GE(counts().throttled, 30u);
}

TEST_F(slot_table_test, with_a_global_lock_each_lookup_takes_it)
{
	use(lookup::global_lock);
	const u64 locks = m().spin_locks, live = m().live_objects();

	read(10);
	EXPECT_EQ(m().spin_locks, locks + 10);
	EXPECT_EQ(replace(10), 10u);
	EXPECT_EQ(m().live_objects(), live);
}

TEST_F(slot_table_test, the_way_is_changed_between_a_readers_lookup_and_its_lock)
{
	for (const lookup from : {lookup::typesafe, lookup::global_lock}) {
		for (const lookup to : all_ways) {
			use(from);
			before_the_next_lock([&] {
				use(to);
				EXPECT_EQ(replace(100), 100u);
			});
			read();
			EXPECT_EQ(replace(100), 100u);
			read(100);
		}
	}
}

TEST_F(slot_table_test, only_slots_in_use_are_replaced)
{
	typesafe_set(TYPESAFE_SLOTS, 1);
	EXPECT_EQ(typesafe_get(TYPESAFE_SLOTS), 1u);
	next({0xffffffff});
	before_the_next_lock([&] {
		next({17, 18});
		replace(1);
	});
	EXPECT_EQ(read().retries, 1u) << "both had slot 0";
}

TEST_F(slot_table_test, a_replacement_without_memory_changes_nothing)
{
	const typesafe_counts before = counts();
	const u64 had = allocated(), had_freed = freed();

	m().fail_allocations = true;
	for (const lookup way : all_ways) {
		use(way);
		EXPECT_EQ(replace(5), 0u);
	}
	m().fail_allocations = false;
	EXPECT_EQ(allocated(), had);
	EXPECT_EQ(freed(), had_freed);
	EXPECT_EQ(counts().replaces, before.replaces);
	for (const lookup way : all_ways) {
		use(way);
		read(100);
	}
}

TEST_F(slot_table_test, filling_leaves_nothing_whichever_allocation_fails)
{
	typesafe_clear();
	shim_rcu_barrier();
	const u64 live = m().live_objects();

	for (u64 nth = 1; nth < 3 * slot_table::max_slots; nth += nth < 6 ? 1 : 61) {
		m().fail_allocation = nth;
		EXPECT_EQ(typesafe_fill(), -12);
		shim_rcu_barrier();
		EXPECT_EQ(m().live_objects(), live);
		EXPECT_EQ(allocated(), freed());
	}
	m().fail_allocations = true;
	EXPECT_EQ(typesafe_fill(), -12);
	m().fail_allocations = false;
	m().fail_allocation = 0;
	EXPECT_EQ(typesafe_fill(), 0);
}
