// SPDX-License-Identifier: GPL-2.0-only
// What was handed to call_rcu() or kfree_rcu() and is not freed yet: how much, and a bound.
//
//	old.call_later();	// after backlog.calls()
//	old.free_later();	// then backlog.hands_over()
//	backlog.bound(sleep);	// no lock held any more
//
// kfree_rcu() gives no notice: of its objects, those count that no grace period is known
// to be over for; the kernel frees them some time later.
//
// Any number of writers.
#pragma once

#include "context.hpp"
#include "demos/durations.hpp"
#include "kstd/atomic.hpp"

namespace rcu_demo {

class backlog {
	using u64 = kstd::uint64_t;

      public:
	// call_rcu(): about to be called for an object; its callback is done with it. Any
	// context but NMI.
	void calls() noexcept
	{
		called_.add_relaxed(1);
	}
	void called_back() noexcept
	{
		called_back_.add_relaxed(1);
	}
	// kfree_rcu() was called for an object. Any context but NMI.
	void hands_over() noexcept;

	u64 size() const noexcept;
	// Waits for a grace period when more than `max` are waiting.
	void bound(const nmiprof::may_sleep &) noexcept;
	// Returns when no object that is waiting now can have a reader, and the callbacks of
	// call_rcu() have run.
	void settle(const nmiprof::may_sleep &) noexcept;

	kstd::atomic<u64> max{100'000}; // set at any time
	kstd::atomic<u64> throttled; // bound() waited
	durations kfree_grace_periods; // one object of kfree_rcu() at a time is watched

      private:
	void poll() noexcept;

	kstd::atomic<u64> called_, called_back_;
	kstd::atomic<u64> handed_, safe_; // to kfree_rcu(); a grace period is over for
	kstd::atomic<kstd::uint32_t> polling_; // who sets it to 1 owns the next
	struct {
		bool any;
		u64 grace_period, handed, since_ns;
	} watched_ = {};
};

} // namespace rcu_demo
