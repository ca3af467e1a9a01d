// SPDX-License-Identifier: GPL-2.0-only
// What a grace period costs those who wait, and what it gives readers (spec D10). Readers
// look at a version inside a read section that they stay in for a while; waiters publish
// the next version, wait in one of four ways until nobody can have the old one, free it.
//
//	reader	section [ read version ... holds ... newer than mine? ]	never waits
//	waiter	publish | wait: as long as the longest section there is | check, free
//
// Each reader notes in a slot of its own which version it holds, and clears the slot
// before it leaves: a waiter that has waited and finds the version that it is about to
// free, or an older one, in a slot has returned early. By RCU's promise it never does:
// what a reader did inside a section that began before the waiter published comes before
// what the waiter does after its wait, the clearing included.
#pragma once

#include "demos/durations.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "lock.hpp"
#include "rcu.hpp"
#include "shim/completion.h"

namespace rcu_demo {

using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::may_sleep;

// How a waiter waits.
enum class wait_way : uint32_t { synchronize, expedited, call, polled };
inline constexpr unsigned int wait_ways = 4;

// Held by who publishes: excludes other waiters, never readers. Only grace_periods makes one.
class version_lock : public nmiprof::spin_guard {
	friend class grace_periods;
	explicit version_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

struct version : nmiprof::rcu_object {
	// From 1 on, in the order of publication; 0: freed. Written before it is published,
	// and by who frees it.
	kstd::atomic<uint64_t> number;
	uint64_t published_ns; // before it is
	shim_completion called_back; // wait_way::call

	static void no_reader_left(version *) noexcept;
};

// How far what a reader held was behind when it left.
struct staleness {
	uint64_t looks;
	uint64_t versions_sum, versions_longest; // published since
	uint64_t ns_sum, ns_longest; // between the publications of its own and of the newest
};

class grace_periods {
	friend struct version;

      public:
	static constexpr unsigned int max_readers = 64;

	// Everything zero before; once.
	void init() noexcept;

	// The first version is there; counts of the run before are gone. No reader and no
	// waiter is at work. Errors: no_memory.
	[[nodiscard]] kstd::result<void> start(const may_sleep &) noexcept;
	// No reader and no waiter is at work any more.
	void stop(const may_sleep &) noexcept;

	// One look of reader number `reader`, below max_readers: one thread at a time. Stays
	// in its section, busy, for hold_us, or until `stopping` is not 0. Started.
	void look(unsigned int reader, uint64_t hold_us,
		  const kstd::atomic<uint32_t> &stopping) noexcept;

	// Publishes a version, waits until the one before may be freed, frees it. Started.
	// Errors: no_memory: nothing was published.
	[[nodiscard]] kstd::result<void> renew(const may_sleep &) noexcept;

	kstd::atomic<wait_way> way;

	// Of one reader; of all. Since start().
	staleness seen_by(unsigned int reader) const noexcept;
	staleness seen_by_all() const noexcept;
	// Must stay 0: waiters that found a reader of what they had waited for; readers whose
	// version was freed while they held it.
	kstd::atomic<uint64_t> returned_early;
	uint64_t seen_freed() const noexcept;
	// How long waiters waited. Since start().
	durations waits[wait_ways];
	// Versions. Once stopped allocated = freed.
	object_counts objects;

      private:
	// Writer: the reader. Of cache lines of its own.
	struct alignas(64) reader_slot {
		kstd::atomic<uint64_t> holds; // number of a version; 0: none
		kstd::local_counter<uint64_t> looks, versions_sum, versions_longest;
		kstd::local_counter<uint64_t> ns_sum, ns_longest, seen_freed;
	};

	version *make(const may_sleep &) noexcept;
	void free_version(version *) noexcept;
	nmiprof::retired<version> publish(version *fresh, version *&old) noexcept;
	version *wait(const may_sleep &, nmiprof::retired<version>, version *old) noexcept;
	void check_readers(uint64_t number) noexcept;
	static void note(reader_slot &, const version &mine, const version &newest) noexcept;

	nmiprof::spinlock lock_;
	nmiprof::rcu_ptr<version, version_lock> newest_;
	uint64_t last_number_ = 0; // version_lock
	reader_slot readers_[max_readers];
};

extern grace_periods the_grace_periods;

} // namespace rcu_demo
