// SPDX-License-Identifier: GPL-2.0-only
// The smallest RCU that works, beside the kernel's (spec D8).
//
//	reader		preemption off; use the object; preemption on
//	updater		replace the pointer; run once on every CPU; free the old object
//
// While a reader uses an object, nothing else can run on its CPU. So when the updater has run
// there, that reader is through, and later ones have seen the new pointer. It asks no reader
// and no reader writes anything: its cost is one change of CPU for each CPU, however many read.
//
// Readers are also read sections for the kernel's grace periods, so the way to wait can be
// changed at any moment.
#pragma once

#include "demos/durations.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "lock.hpp"
#include "rcu.hpp"
#include "shim/affinity.h"

namespace rcu_demo {

using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::may_sleep;

// The thread may be sent to other CPUs while there is one: it is put back to its own.
class affinity_guard {
      public:
	explicit affinity_guard(const may_sleep &) noexcept : kept_(shim_affinity_keep())
	{
	}
	~affinity_guard()
	{
		if (kept_)
			shim_affinity_restore(kept_);
	}
	affinity_guard(const affinity_guard &) = delete;
	affinity_guard &operator=(const affinity_guard &) = delete;

	// There was memory to remember them.
	explicit operator bool() const noexcept
	{
		return kept_;
	}

      private:
	shim_affinity *kept_;
};

// Returns when every reader that had preemption off when it was called is through. How many
// CPUs were visited: all that are online.
uint32_t toy_synchronize(const may_sleep &, const affinity_guard &) noexcept;

enum class update_way : uint32_t { toy, synchronize, expedited };
inline constexpr unsigned int update_ways = 3;

// Only toy_rcu makes one: excludes updaters.
class toy_lock : public nmiprof::spin_guard {
	friend class toy_rcu;
	explicit toy_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

class toy_rcu {
      public:
	static constexpr uint64_t max_section_us = 10'000;

	// Everything zero before; once.
	void init() noexcept;

	// The first object. Errors: no_memory.
	[[nodiscard]] kstd::result<void> begin(const may_sleep &) noexcept;
	// No reader and no updater is at work.
	void end(const may_sleep &) noexcept;

	// One read section, of section_us at least.
	void read() noexcept;
	// Errors: no_memory, and nothing was replaced.
	[[nodiscard]] kstd::result<void> update(const may_sleep &) noexcept;

	// Live settings.
	kstd::atomic<update_way> way;
	kstd::atomic<uint64_t> section_us{10};

	struct counters : object_counts {
		kstd::atomic<uint64_t> reads;
		kstd::atomic<uint64_t> updates[update_ways];
		kstd::atomic<uint64_t> seen_freed; // stays 0: freed under a reader
		kstd::atomic<uint64_t> cpus; // that the toy visited when it last waited
		durations waits[update_ways];
	};
	counters count;

      private:
	struct object {
		kstd::atomic<uint32_t> state;
	};

	object *make_object(const may_sleep &) noexcept;
	void free_object(object *) noexcept;
	nmiprof::retired<object> publish(object *) noexcept;
	object *wait(const may_sleep &, update_way, nmiprof::retired<object>,
		     const affinity_guard &) noexcept;

	nmiprof::spinlock lock_; // updaters
	nmiprof::rcu_ptr<object, toy_lock> current_;
};

extern toy_rcu the_toy_rcu;

} // namespace rcu_demo
