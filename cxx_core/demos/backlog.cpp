// SPDX-License-Identifier: GPL-2.0-only
#include "demos/backlog.hpp"

#include "shim/clock.h"
#include "shim/reclaim.h"

namespace rcu_demo {

void backlog::hands_over() noexcept
{
	handed_.add_relaxed(1);
	poll();
}

// What was handed to kfree_rcu() by now is safe to free when the grace period that begins
// now is over: one is watched at a time.
void backlog::poll() noexcept
{
	const u64 handed = handed_.load_relaxed();

	if (polling_.exchange(1))
		return;
	if (watched_.any && shim_rcu_poll(watched_.grace_period)) {
		kfree_grace_periods.add(shim_now_ns() - watched_.since_ns);
		safe_.store_relaxed(watched_.handed);
		watched_.any = false;
	}
	if (!watched_.any && handed > safe_.load_relaxed())
		watched_ = {true, shim_rcu_poll_start(), handed, shim_now_ns()};
	polling_.store_release(0);
}

kstd::uint64_t backlog::size() const noexcept
{
	// In this order: what is called back meanwhile was called before.
	const u64 back = called_back_.load_acquire(), safe = safe_.load_acquire();

	return called_.load_relaxed() - back + handed_.load_relaxed() - safe;
}

void backlog::bound(const nmiprof::may_sleep &sleep) noexcept
{
	if (size() <= max.load_relaxed())
		return;
	throttled.add_relaxed(1);
	settle(sleep);
}

void backlog::settle(const nmiprof::may_sleep &) noexcept
{
	shim_rcu_barrier();
	// The one that is watched, then the rest.
	for (int i = 0; i < 2; i++) {
		poll();
		shim_rcu_poll_wait(shim_rcu_poll_start());
	}
	poll();
}

} // namespace rcu_demo
