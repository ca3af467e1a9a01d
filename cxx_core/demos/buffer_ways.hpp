// SPDX-License-Identifier: GPL-2.0-only
// A profile buffer that NMIs count samples into while a writer swaps it, in three ways
// (spec D7):
//
//	racy	the writer takes the pointer away and frees at once: an NMI that has just
//		read it counts into freed memory
//	lock	the NMI side enters by a lock made by hand and, as an NMI must not wait, gives
//		up when the writer holds it: the sample is lost
//	rcu	the writer waits for a grace period before it frees: no sample is lost
//
// Each way has a pointer of its own. NMIs look at `way_` once, at their beginning; to go
// from one way to another is
//
//	1. the new way's pointer gets a buffer	nobody looks there yet
//	2. way_ = the new one			NMIs from now on go there
//	3. synchronize_rcu()			NMIs that began before have ended
//	4. the old way's buffer is taken away	nobody looks there any more
//
// so that each way need only be safe against NMIs of its own.
//
// Ledger, for each CPU and in all, at any moment:
//	samples = drained + live + lost (no_buffer, lock_held, raced)
// by racy, what the race lost shows as unaccounted until another way is chosen.
#pragma once

#include "demos/durations.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "mutex.hpp"
#include "rcu.hpp"

namespace rcu_demo {

using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::may_sleep;
using nmiprof::nmi_context;

enum class buffer_way : uint32_t { racy, lock, rcu };
inline constexpr unsigned int buffer_ways_count = 3;

// A header, and behind it a cell for each CPU: a cache line each.
class sample_buffer {
	using u64 = uint64_t;
	struct cell {
		kstd::local_counter<u64> samples; // writer: this CPU's NMI handler
		u64 rest[7];
	};

      public:
	static kstd::size_t bytes(unsigned int cpus) noexcept
	{
		return sizeof(sample_buffer) + cpus * sizeof(cell);
	}
	kstd::local_counter<u64> &of(unsigned int cpu) noexcept
	{
		return reinterpret_cast<cell *>(this + 1)[cpu].samples;
	}

	// No two buffers have the same, and one that was freed has 0. Written before the
	// buffer is published, and by who frees it; NMIs look whether it changes meanwhile.
	kstd::atomic<u64> generation;

      private:
	u64 rest_[7] = {};
};

// The conventional way's lock: any number of NMIs, or one writer. Who is an NMI never
// waits; the writer waits for NMIs, which are short. A writer that is interrupted by an NMI
// while it holds the lock does not deadlock: that NMI gives up.
class nmi_trylock {
	static constexpr uint32_t writer = 1u << 31; // below it: how many NMIs are inside

      public:
	// False: a writer holds it, or waits for it.
	bool try_enter(const nmi_context &) noexcept
	{
		if (!(state_.fetch_add(1) & writer))
			return true;
		state_.fetch_add(-1u);
		return false;
	}
	void leave(const nmi_context &) noexcept
	{
		state_.fetch_add(-1u);
	}
	// One writer at a time. Preemption off: until it is through, samples are lost.
	void lock(const nmiprof::preempt_off &) noexcept;
	void unlock(const nmiprof::preempt_off &) noexcept
	{
		state_.fetch_add(-writer);
	}

      private:
	kstd::atomic<uint32_t> state_;
};

// What became of the samples.
struct buffer_ledger {
	uint64_t samples; // NMIs seen
	uint64_t drained; // in buffers that were summed up
	uint64_t live; // in the one that is there
	uint64_t no_buffer, lock_held, raced; // lost: why
	uint64_t seen_freed[buffer_ways_count]; // not lost by itself: it was freed memory

	uint64_t unaccounted() const noexcept
	{
		return samples - drained - live - no_buffer - lock_held - raced;
	}
	void add(const buffer_ledger &other) noexcept;
};

class buffer_ways {
      public:
	// Everything zero before; once.
	void init() noexcept;

	// From here on NMIs may come. Errors: no_memory.
	[[nodiscard]] kstd::result<void> start(const may_sleep &) noexcept;
	// None comes any more, none is under way.
	void stop(const may_sleep &) noexcept;

	// One sample of this CPU. Started.
	void sample(const nmi_context &, unsigned int cpu) noexcept;

	// Another buffer, empty, takes the place of the live one, which is summed up and freed.
	// Started. Errors: no_memory: nothing was changed, but by the racy way the buffer is gone.
	[[nodiscard]] kstd::result<void> swap(const may_sleep &) noexcept;

	// At any time. Errors: no_memory: nothing was changed.
	[[nodiscard]] kstd::result<void> set_way(const may_sleep &, buffer_way) noexcept;
	buffer_way way() const noexcept
	{
		return way_.load_relaxed();
	}

	// How long an NMI stays in the buffer: a race then is no rare event.
	kstd::atomic<uint64_t> nmi_hold_ns;

	// Of one moment for each CPU. Errors: again: a CPU stood still in an NMI for a second.
	[[nodiscard]] kstd::result<void> read(const may_sleep &, buffer_ledger &sum) noexcept;
	// Errors: no_entry: no such CPU, or not started.
	[[nodiscard]] kstd::result<void> read_cpu(const may_sleep &, unsigned int cpu,
						  buffer_ledger &) noexcept;

	// Buffers. Once stopped allocated = freed.
	object_counts objects;
	// From taking a buffer away until it may be freed.
	durations swaps[buffer_ways_count];

      private:
	// Whoever changes the buffers.
	class writer_lock : public nmiprof::mutex_guard {
		friend class buffer_ways;
		using mutex_guard::mutex_guard;
	};

	// What an NMI writes is its CPU's alone, and is written inside `inside`.
	struct cpu_state {
		kstd::sequence inside;
		kstd::local_counter<uint64_t> samples, no_buffer, lock_held;
		kstd::local_counter<uint64_t> seen_freed[buffer_ways_count];
		uint64_t drained, raced; // writer_lock
		uint64_t rest[7]; // to the end of the second cache line
	};

	void count(cpu_state &, unsigned int cpu, sample_buffer *, buffer_way) noexcept;
	void linger() const noexcept;
	sample_buffer *make(const may_sleep &) noexcept;
	void drain_and_free(const writer_lock &, sample_buffer *) noexcept;
	sample_buffer *exchange(const writer_lock &, const may_sleep &, buffer_way,
				sample_buffer *fresh) noexcept;
	sample_buffer *timed_exchange(const writer_lock &, const may_sleep &, buffer_way,
				      sample_buffer *fresh) noexcept;
	void note_raced(const writer_lock &, const may_sleep &) noexcept;
	bool copy(const writer_lock &, unsigned int cpu, buffer_ledger &) const noexcept;
	kstd::result<void> copy_patiently(const writer_lock &, const may_sleep &, unsigned int cpu,
					  buffer_ledger &) const noexcept;

	nmiprof::mutex mutex_;
	kstd::atomic<buffer_way> way_{buffer_way::rcu};

	// The live buffer is behind one of these, by way_.
	kstd::atomic<sample_buffer *> racy_; // no rule: that is what is wrong
	sample_buffer *locked_ = nullptr; // lock_
	nmi_trylock lock_;
	nmiprof::rcu_ptr<sample_buffer, writer_lock> rcu_;

	sample_buffer *live_ = nullptr; // the writers' own view. writer_lock
	uint64_t last_generation_ = 0; // writer_lock
	cpu_state *cpus_ = nullptr; // by number; null: not started. writer_lock; NMIs read it
	buffer_ledger before_ = {}; // of all CPUs, until the last stop. writer_lock
};

extern buffer_ways the_buffer_ways;

} // namespace rcu_demo
