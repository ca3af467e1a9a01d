// SPDX-License-Identifier: GPL-2.0-only
// nmi_timer: an NMI source without a PMU (spec C). A timer on one CPU sends NMIs
// to another, so that a CPU that spins with interrupts off is still sampled.
//
// The sampled CPUs form a ring, due one after the other within a period; each serves
// the next one. A CPU that is blocked does not serve, so its successor falls overdue;
// the nearest CPU before it that still runs goes on along the ring, serving all that is
// due, up to the first CPU that has been served. As long as it stands in for others it
// looks again soon after their deadlines, so that a late timer costs them no more samples
// than it would cost itself. One CPU outside the ring, when there is one, is the backup:
// it looks too, for the case that the whole ring is blocked.
// Last resort, and the only way on a machine with one CPU: an NMI to oneself,
// which shows what the timer interrupt interrupted and is therefore blind to code
// that runs with interrupts off.
//
//	plan     who serves whom, how often: immutable, RCU-published, read by
//	         timer interrupts; null: stopped
//	deadline of each CPU: when it is due, what became of each period
//	claim    of each CPU: the flag that makes an NMI ours
#pragma once

#include "cpu.hpp"
#include "kstd/result.hpp"
#include "kstd/utility.hpp"

namespace nmiprof {

class plan {
	using u32 = kstd::uint32_t;
	using u64 = kstd::uint64_t;

      public:
	static constexpr u32 nobody = deadline::nobody;

	// The plan for these CPUs at this rate; wanted(cpu): sample it;
	// available(cpu): it may be the backup. Null: no memory.
	template <class F, class G>
	static plan *make(const may_sleep &sleep, u64 period_ns, F wanted, G available) noexcept
	{
		plan *p = allocate(sleep, period_ns);
		u32 first = nobody, last = nobody, backup = nobody;

		for (u32 cpu = 0; p && cpu < shim_nr_cpu_ids(); cpu++) {
			if (!wanted(cpu)) {
				if (backup == nobody && available(cpu))
					backup = cpu;
				continue;
			}
			p->sampled_++;
			p->role_[cpu].sampled = true;
			if (first == nobody)
				first = cpu;
			else
				p->role_[last].serves = cpu;
			last = cpu;
		}
		if (p && first != nobody)
			p->close_ring(first, last, backup);
		return p;
	}
	static void destroy(const may_sleep &, plan *p) noexcept;

	u64 period_ns() const noexcept
	{
		return period_ns_;
	}
	u32 sampled() const noexcept
	{
		return sampled_;
	}
	bool has_backup() const noexcept
	{
		return backup_ != nobody;
	}
	bool samples(u32 cpu) const noexcept
	{
		return role_[cpu].sampled;
	}
	// Whom this CPU serves first; nobody: its timer is off.
	u32 serves(u32 cpu) const noexcept
	{
		return role_[cpu].serves;
	}
	// Only if it is due still: somebody else serves it in time.
	bool helps_only(u32 cpu) const noexcept
	{
		return role_[cpu].helps_only;
	}
	// So long beyond a deadline its own server has it to itself: who stands in looks
	// then, and a CPU sends to itself, which shows less than an NMI from another one.
	// At most half of the time from one deadline of the ring to the next, as a CPU
	// comes to look that long after its own.
	u64 slack_ns() const noexcept
	{
		return period_ns_ / (sampled_ < 4 ? 8 : 2 * u64{sampled_});
	}
	// Who stands in for others looks no more often than this: whatever the rate and the
	// number of the others, its CPU has time left.
	u64 shortest_pause_ns() const noexcept
	{
		return kstd::max(period_ns_ / 8, least_pause_ns);
	}

      private:
	static constexpr u64 least_pause_ns = 20'000;

	struct role {
		u32 serves;
		bool sampled;
		bool helps_only;
	};
	static plan *allocate(const may_sleep &, u64 period_ns) noexcept;
	void close_ring(u32 first, u32 last, u32 backup) noexcept;

	u64 period_ns_ = 0;
	u32 sampled_ = 0;
	u32 backup_ = nobody;
	role role_[]; // by CPU number
};

class nmi_timer {
	using u64 = kstd::uint64_t;

      public:
	// Ticks go by `fresh` from now on; null: stop. Returns when no timer
	// interrupt uses the former plan, with it freed. CPUs whose role ended have
	// their periods so far accounted for.
	void follow(const update_lock &, const may_sleep &, plan *fresh) noexcept;

	// After follow(null): wait until no NMI of ours is on its way; one that has
	// not come after a second is counted as lost_timeout. Two seconds at most.
	void settle(const update_lock &, const may_sleep &) noexcept;

	// The same for one CPU that goes offline and has no role any more, or has just
	// come online. Counted as lost_offline.
	void settle_cpu(const update_lock &, const may_sleep &, unsigned int cpu) noexcept;

	// The timer interrupt of CPU `self` at `now` ns. Returns when the next one is due, ns
	// of the same clock; 0: stop.
	u64 tick(const irq_context &, unsigned int self, u64 now) noexcept;
	// When CPU `self`'s timer shall first expire, 0: never.
	u64 first_expiry(const irq_context &, unsigned int self) noexcept;

	// One sample of `cpu` now, sent by CPU `self`, on top of its periods, unless one is outstanding.
	// errc: no_device (offline), again (another sender has the turn).
	kstd::result<void> request(const irq_context &, unsigned int self,
				   unsigned int cpu) noexcept;

	// What one tick stands for, ns.
	u64 tick_ns() const noexcept
	{
		return tick_ns_.load_relaxed();
	}

	const plan *current(const update_lock &lock) const noexcept
	{
		return plan_.read(lock);
	}
	// Panic: no timer sends any more, for good. Any context.
	void halt() noexcept
	{
		halted_.store_relaxed(1);
	}

      private:
	static u64 own_expiry(const plan &, unsigned int self, const deadline &first) noexcept;
	u64 serve_ring(const irq_context &, const plan &, nmiprof_cpu &first, unsigned int self,
		       u64 now) noexcept;
	bool serve(const irq_context &, nmiprof_cpu &target, u64 now, u64 slack,
		   unsigned int self) noexcept;
	void send(const irq_context &, nmiprof_cpu &target, unsigned int self,
		  claim_state asked) noexcept;

	rcu_ptr<plan> plan_;
	kstd::atomic<u64> tick_ns_;
	kstd::atomic<kstd::uint32_t> halted_;
};

} // namespace nmiprof
