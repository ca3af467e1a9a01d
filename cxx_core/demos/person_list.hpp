// SPDX-License-Identifier: GPL-2.0-only
// The person list: readers walk all of it again and again for the winner of a contest,
// writers replace persons meanwhile (spec D1 to D3).
//
//	list	what readers walk: RCU, or for comparison a lock of the kernel's
//	index	number -> person, beside the list: an update searches nothing
//
// The index has two levels, so that resizing copies pointers to chunks, not to persons:
//
//	table {size} -> chunk[] -> person	table: replaced as a whole, RCU
//						slots: replaced one by one, RCU
//
// Lists are as in Documentation/RCU/listRCU.rst; that classic text's traps (a walk to find
// the person, an allocation under the lock, a maximum that is never raised, a division by
// an age of 0) are not here.
#pragma once

#include "demos/backlog.hpp"
#include "demos/durations.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "lock.hpp"
#include "rcu_list.hpp"

namespace rcu_demo {

using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::may_sleep;
using nmiprof::rcu_read;

// Held by whoever changes the list or a slot: excludes other writers, never readers under
// RCU. Only person_list makes one.
class person_lock : public nmiprof::spin_guard {
	friend class person_list;
	explicit person_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

struct traits {
	uint32_t num, age, iq, money;
};

struct person : nmiprof::rcu_object, nmiprof::rcu_list_node<person, person_lock> {
	// Written before it is published, then constant.
	traits is;
	// Written when no new reader can find it any more; who reclaims reads it.
	uint64_t retired_at_ns;

	// call_rcu() calls it in softirq.
	static void no_reader_left(person *) noexcept;
};

enum class contest : uint32_t { money_per_age, money_per_iq, iq_minus_age };

// What keeps what readers look at in place.
enum class protection : uint32_t { rcu, rwlock, spinlock };

// How a replaced person is freed once no reader can be left (spec D2).
enum class reclaim_way : uint32_t { synchronize, call, kfree };
inline constexpr unsigned int reclaim_ways = 3;

struct outcome {
	bool any = false; // somebody took part
	traits winner = {};
	uint64_t persons = 0; // seen
	uint64_t skipped = 0; // of them not taking part: their divisor is 0
};

class person_list {
	friend struct person;

      public:
	static constexpr uint64_t max_size = 10'000'000;

	// Everything zero before; once.
	void init() noexcept;

	// Persons are added with new random properties, or taken away from the end; at most
	// max_size. Errors: no_memory, and nothing was changed.
	[[nodiscard]] kstd::result<void> resize(const nmiprof::update_lock &, const may_sleep &,
						uint64_t size) noexcept;
	// None is left. No writer is at work; readers may be.
	void clear(const nmiprof::update_lock &, const may_sleep &) noexcept;
	uint64_t size() const noexcept;

	// A walk over all. `stopping`: given up as soon as that is not 0; the outcome is empty.
	outcome scan(contest, const kstd::atomic<uint32_t> &stopping) noexcept;

	// A random person is replaced by another with the same number; there is one at least.
	// Errors: no_memory.
	[[nodiscard]] kstd::result<void> update(const may_sleep &) noexcept;

	// One person by number, for a dump; false: there is none.
	bool look(uint64_t num, traits &copy) const noexcept;

	// Live settings.
	kstd::atomic<protection> readers_use;
	kstd::atomic<reclaim_way> way;

	// Replaced and not freed yet; its bound, too, may be set at any time.
	backlog waiting;

	// Counters. Once all is quiet allocated = live + freed.
	struct counters : object_counts {
		kstd::atomic<uint64_t> updates[reclaim_ways];
		durations until_freed[2]; // by reclaim_way; not by kfree_rcu()
		durations replacing; // updates, from the allocation on, without reclaiming
	};
	counters count;
	// Until freed, or known to be safe to.
	const durations &grace_periods(reclaim_way how) const noexcept
	{
		return how == reclaim_way::kfree
			       ? waiting.kfree_grace_periods
			       : count.until_freed[static_cast<unsigned int>(how)];
	}

      private:
	using slot = nmiprof::rcu_ptr<person, person_lock>;

	static constexpr uint64_t chunk_slots = 512;
	struct chunk {
		slot slots[chunk_slots];
	};
	struct table {
		uint64_t size; // persons
		uint64_t chunks;

		chunk **at() noexcept // right behind the table
		{
			return reinterpret_cast<chunk **>(this + 1);
		}
		slot &of(uint64_t num) noexcept
		{
			return at()[num / chunk_slots]->slots[num % chunk_slots];
		}
	};

	template <class Each> void in_batches(uint64_t first, uint64_t end, Each &&each) noexcept;
	person *make_person(const may_sleep &, uint64_t num) noexcept;
	void free_person(person *) noexcept;
	static table *make_table(uint64_t size, table *with_chunks_of) noexcept;
	kstd::result<void> fill(const may_sleep &, table *, uint64_t first) noexcept;
	void unfill(table *, uint64_t first, uint64_t end) noexcept;
	void link(table *, uint64_t first) noexcept;
	void unlink(table *, uint64_t first, const nmiprof::retired<table> &whole) noexcept;
	table *current_table() noexcept;
	nmiprof::retired<table> publish(table *) noexcept;
	void change_table(const may_sleep &, table *now, table *fresh) noexcept;

	nmiprof::retired<person> replace(const person_lock &, slot &where, person *fresh) noexcept;
	nmiprof::retired<person> replace_random(person *fresh) noexcept;
	void reclaim(const may_sleep &, nmiprof::retired<person>) noexcept;
	template <class Contest>
	outcome walk(const rcu_read &, const kstd::atomic<uint32_t> &stopping) const noexcept;
	template <class Contest> outcome scan_as(const kstd::atomic<uint32_t> &stopping) noexcept;

	// Writers hold `lock_`; with protection::rwlock `readers_lock_` as well, inside it.
	nmiprof::spinlock lock_;
	nmiprof::rwlock readers_lock_;
	nmiprof::rcu_list<person, person_lock> list_;
	nmiprof::rcu_ptr<table, person_lock> table_;
};

extern person_list the_persons;

} // namespace rcu_demo
