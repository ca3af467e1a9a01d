// SPDX-License-Identifier: GPL-2.0-only
// The claim protocol: how a CPU knows that an NMI is ours, with at most one of
// ours outstanding for each CPU.
//
//	sender, interrupts off, holding the target's turn (deadline.hpp)
//	  S1  try_set(): free -> asked, a full barrier. Failed: coalesced.
//	  S2  send the NMI IPI
//	  S3  note when it had been sent
//	target, NMI
//	  T1  pending(): asked? Then this NMI is a tick, else it is not ours
//	  T2  run the handlers
//	  T3  note when they ended: that is good for one late arrival
//	  T4  clear(): asked -> free. Only now may the next one be sent, so none of
//	      ours is ever latched behind another of ours
//	  T5  return 1: exactly one event, else the kernel would swallow the next
//	target, NMI that nobody claimed (NMI_UNKNOWN)
//	  L1  our IPI can arrive after another NMI has used up its claim in T1..T4.
//	      One such arrival is claimed for each tick, while S2 is under way or
//	      within `late_window` of S3, or when its T1 was that soon after T3; it is
//	      counted as late.
//
//	        S1                      T4
//	free --------> asked, unsent --------> free --L1--> free
//	                 | S2                      ^
//	                 v            T1..T4       |
//	               asked, sent ----------------+
//	                 | CPU went offline: reset(), counted as lost
//	                 v
//	               free
//
// Checked by spin, with what other NMIs, hotplug and unload do: kunit_tests/model/claim.pml.
//
// Why S1 comes before S2: sent first, the NMI could arrive with the flag clear
// and be reported as unknown. Why T1 does not need a locked instruction: only
// the target leaves `asked`, and only a sender that saw `free` enters it.
#pragma once

#include "context.hpp"
#include "kstd/atomic.hpp"

namespace nmiprof {

enum class claim_state : kstd::uint32_t {
	free = 0,
	asked = 1, // shows what the NMI interrupts
	asked_by_self = 2, // by this CPU's timer interrupt: shows what that interrupted
};

class claim_flag {
      public:
	// S1
	bool try_set(const irq_context &, claim_state asked) noexcept
	{
		return state_.compare_exchange(claim_state::free, asked);
	}
	// T1
	claim_state pending(const nmi_context &) const noexcept
	{
		if (fault::planted(NMIPROF_FAULT_claim_without_flag))
			return claim_state::asked;
		return state_.load_relaxed();
	}
	// T4
	void clear(const nmi_context &) noexcept
	{
		state_.store_release(claim_state::free);
	}
	// The CPU is offline or its timer has stopped: nothing will arrive. True
	// if an NMI was outstanding.
	bool reset(const may_sleep &) noexcept
	{
		return state_.compare_exchange(claim_state::asked, claim_state::free) ||
		       state_.compare_exchange(claim_state::asked_by_self, claim_state::free);
	}
	// Anybody, as a glance.
	bool outstanding() const noexcept
	{
		return state_.load_acquire() != claim_state::free;
	}

      private:
	kstd::atomic<claim_state> state_;
};

// L1: how long after S3 or T3 an unclaimed NMI may be taken for a late one of
// ours. Somebody else's unknown NMI in that time is hidden, hence short.
inline constexpr kstd::uint64_t late_window_us = 100;

} // namespace nmiprof
