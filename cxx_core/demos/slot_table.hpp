// SPDX-License-Identifier: GPL-2.0-only
// Slots that lead to objects: readers look into a random one, writers replace the object of a
// random one (spec D6).
//
//	typesafe	the object is freed at once and its memory reused; readers lock what they
//			found and look again (typesafe.hpp)
//	rcu		an ordinary object, freed after a grace period; readers just look
//	global_lock	an ordinary object, freed at once; one lock around each lookup
//
// Each way has a set of slots of its own, all filled all the time: the way can be changed at
// any moment, as a thread that is still in the old one finds there what it expects.
#pragma once

#include "demos/backlog.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "rcu.hpp"
#include "typesafe.hpp"

namespace rcu_demo {

using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::may_sleep;
using nmiprof::rcu_read;

enum class lookup : uint32_t { typesafe, rcu, global_lock };

struct contents {
	uint32_t slot; // that leads to it
	uint32_t dead; // no slot does any more
	uint64_t number, mirror; // agree: mirror == ~number
};

struct reused_object : nmiprof::typesafe_object {
	contents is; // under its lock
};

struct ordinary_object : nmiprof::rcu_object {
	// rcu: constant from before it is published; global_lock: under that.
	contents is;
};

// What must not be seen, counted.
struct broken_promises {
	kstd::atomic<uint64_t> seen_dead, torn, wrong_slot;

	// A reader that came by this slot uses an object.
	void check(const contents &, uint32_t slot) noexcept;
};

struct reads {
	uint64_t done = 0;
	uint64_t retries = 0; // another object was locked than the slot leads to
	uint64_t reused = 0; // of them: one that was alive, for another slot or again for this
};

// Excludes writers under RCU from one another; with lookup::global_lock, readers too. Only
// slot_table makes one.
class slot_lock : public nmiprof::spin_guard {
	friend class slot_table;
	explicit slot_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

class slot_table {
      public:
	static constexpr uint32_t max_slots = 256;

	// Everything zero before; once.
	void init() noexcept;

	// Errors: no_memory, and there are none.
	[[nodiscard]] kstd::result<void> fill(const may_sleep &) noexcept;
	// No reader and no writer is at work. None is left, and what was waiting may be freed.
	void clear(const may_sleep &) noexcept;

	// The table is filled.
	void read(reads &tally) noexcept;
	// Errors: no_memory, and nothing was replaced.
	[[nodiscard]] kstd::result<void> replace(const may_sleep &) noexcept;
	// So many, or as many as there is memory for: the number. Waits when too many objects
	// wait to be freed.
	uint64_t replace_some(const may_sleep &, uint64_t times) noexcept;

	// Live settings.
	kstd::atomic<lookup> way;
	kstd::atomic<uint32_t> slots{16}; // so many are in use, 1 to max_slots

	// lookup::rcu: replaced and not freed yet; its bound, too, may be set at any time.
	backlog waiting;

	struct counters : object_counts {
		kstd::atomic<uint64_t> reads, retries, reused, replaces;
	};
	counters count;
	broken_promises broken;

      private:
	struct random_pick {
		uint32_t slot;
		uint64_t number;
	};
	random_pick pick() const noexcept;

	reused_object *make_reused(const may_sleep &, const contents &) noexcept;
	ordinary_object *make_ordinary(const may_sleep &, const contents &) noexcept;
	void free_reused(reused_object *) noexcept;
	void free_ordinary(ordinary_object *) noexcept;
	kstd::result<void> fill_slot(const may_sleep &, uint32_t slot) noexcept;
	bool in_rcu_slot(uint32_t slot) const noexcept;
	nmiprof::retired<ordinary_object> withdraw(uint32_t slot, ordinary_object *fresh) noexcept;
	void free_later(nmiprof::retired<ordinary_object>) noexcept;

	void read_typesafe(uint32_t slot, reads &tally) noexcept;
	void read_rcu(uint32_t slot) noexcept;
	void read_locked(uint32_t slot) noexcept;
	kstd::result<void> replace_typesafe(const may_sleep &, const contents &) noexcept;
	kstd::result<void> replace_rcu(const may_sleep &, const contents &) noexcept;
	kstd::result<void> replace_locked(const may_sleep &, const contents &) noexcept;

	nmiprof::typesafe_cache<reused_object> cache_;
	nmiprof::typesafe_ptr<reused_object> typesafe_[max_slots];

	nmiprof::spinlock rcu_lock_; // writers
	nmiprof::rcu_ptr<ordinary_object, slot_lock> rcu_[max_slots];

	nmiprof::spinlock global_lock_; // all
	ordinary_object *locked_[max_slots] = {};
};

extern slot_table the_slots;

} // namespace rcu_demo
