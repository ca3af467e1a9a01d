// SPDX-License-Identifier: GPL-2.0-only
// When a CPU is due for its next sample, and what became of each period.
//
// Any CPU may serve any other one: try_begin() gives one of them the turn. The
// loser need not wait, as the winner does the same work. Periods are counted by
// the clock, from `first` in steps of `period`; so `due` is known apart from the
// counters of what was done, and the ledger (ledger.hpp) compares the two.
#pragma once

#include "kstd/atomic.hpp"

namespace nmiprof {

class deadline {
	using u64 = kstd::uint64_t;

      public:
	static constexpr kstd::uint32_t nobody = ~kstd::uint32_t{0};

	// The turn: odd while somebody has it. Also tells readers whether what
	// they read belongs together.
	bool try_begin() noexcept
	{
		const u64 seen = turn_.load_relaxed();

		return !(seen & 1) && turn_.compare_exchange(seen, seen + 1);
	}
	void end() noexcept
	{
		turn_.store_release(turn_.load_relaxed() + 1);
	}
	u64 read_begin() const noexcept
	{
		return turn_.load_acquire();
	}
	bool changed_since(u64 seen) const noexcept
	{
		kstd::read_barrier();
		return (seen & 1) || turn_.load_relaxed() != seen;
	}
	// Somebody has the turn: a send may be under way.
	bool in_turn() const noexcept
	{
		return turn_.load_acquire() & 1;
	}

	// A glance without the turn: has `slack` gone by since a period fell due?
	bool overdue(u64 now, u64 slack) const noexcept
	{
		return now >= next_.load_relaxed() + slack;
	}

	// When the next period falls due, ns.
	u64 next() const noexcept
	{
		return next_.load_relaxed();
	}

	// The rest: only in one's turn.

	// First sample at `first`, then every `period` ns.
	void start(u64 first, u64 period) noexcept
	{
		past_due_.store_relaxed(due());
		first_.store_relaxed(first);
		next_.store_relaxed(first);
		period_.store_relaxed(period);
		served_by.set(nobody);
	}

	// How many periods have fallen due and were not accounted for; accounts
	// for them by moving on.
	u64 take_due(u64 now) noexcept
	{
		const u64 next = next_.load_relaxed();
		const u64 period = period_.load_relaxed();

		if (!period || now < next)
			return 0;
		const u64 late = now - next;
		const u64 periods = late < period ? 1 : late / period + 1;

		next_.store_relaxed(next + periods * period);
		return periods;
	}

	// No more periods until start().
	void stop() noexcept
	{
		past_due_.store_relaxed(due());
		period_.store_relaxed(0);
		next_.store_relaxed(~u64{0} >> 1);
	}

	// Periods that fell due since load, by the clock.
	u64 due() const noexcept
	{
		const u64 period = period_.load_relaxed();
		const u64 now_running =
			period ? (next_.load_relaxed() - first_.load_relaxed()) / period : 0;

		return past_due_.load_relaxed() + now_running;
	}

	// What became of them. Writer: who has the turn.
	kstd::local_counter<u64> requested; // asked for one by one, on top of due()
	kstd::local_counter<u64> sent;
	kstd::local_counter<u64> coalesced; // the one before was still outstanding
	kstd::local_counter<u64> skipped_overrun; // no sender came before the next was due
	kstd::local_counter<u64> skipped_offline; // the CPU was going offline
	kstd::local_counter<u64> skipped_unwanted; // nobody takes samples of the CPU now
	kstd::local_counter<u64> skipped_stopped; // sampling stopped first
	kstd::local_counter<u64> lost_offline; // sent, then the CPU went offline
	kstd::local_counter<u64> lost_timeout; // sent, not seen for a second, sent again
	kstd::local_counter<kstd::uint32_t> served_by; // CPU that took the last period, or nobody
	kstd::local_counter<kstd::uint32_t> sent_by; // CPU of the last send
	kstd::local_counter<u64> sent_at; // ns, when the last send had been done

      private:
	kstd::atomic<u64> turn_;
	kstd::atomic<u64> next_{~u64{0} >> 1};
	kstd::atomic<u64> first_;
	kstd::atomic<u64> period_;
	kstd::atomic<u64> past_due_;
};

} // namespace nmiprof
