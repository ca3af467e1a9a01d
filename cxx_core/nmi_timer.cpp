// SPDX-License-Identifier: GPL-2.0-only
#include "nmi_timer.hpp"

#include "core.hpp"
#include "fault.hpp"
#include "shim/cpu.h"
#include "shim/memory.h"
#include "shim/sched.h"
#include "shim/timer.h"
#include "shim/trace.h"
#include "time.hpp"

namespace nmiprof {

using kstd::errc;
using kstd::result;

namespace {

// An NMI that was not seen for so long will not come, or not be told from the
// next: it is counted as lost and another one is sent.
constexpr kstd::uint64_t lost_after_ns = 1'000'000'000;

constexpr kstd::uint64_t never = ~kstd::uint64_t{0};

// How long to wait for the last NMIs: twice the time after which one is lost.
constexpr unsigned int settle_step_us = 100, settle_steps = 20'000;

// Longer than an NMI takes from its entry to the look at its claim.
constexpr unsigned int spins_for_nmi = 1000;

} // namespace

constinit nmi_timer the_timer;

plan *plan::allocate(const may_sleep &, u64 period_ns) noexcept
{
	void *memory = shim_alloc(sizeof(plan) + shim_nr_cpu_ids() * sizeof(role), 0);

	if (!memory)
		return nullptr;
	auto *p = new (kstd::here{memory}) plan;

	p->period_ns_ = period_ns;
	for (u32 cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		p->role_[cpu].serves = nobody;
	return p;
}

void plan::destroy(const may_sleep &, plan *p) noexcept
{
	shim_free(p);
}

void plan::close_ring(u32 first, u32 last, u32 backup) noexcept
{
	role_[last].serves = first;
	backup_ = backup;
	if (backup == nobody)
		return;
	role_[backup].serves = first;
	// A ring of one would send to itself: the backup is then its sender.
	if (first == last)
		role_[first].helps_only = true;
	else
		role_[backup].helps_only = true;
}

// In target's turn: make one period (or request) into an NMI, or count why not.
void nmi_timer::send(const irq_context &ctx, nmiprof_cpu &target, unsigned int self,
		     claim_state asked) noexcept
{
	deadline &due = target.due;

	if (!shim_cpu_online(target.id))
		return due.skipped_offline.inc();
	if (fault::planted(NMIPROF_FAULT_late_flag))
		shim_nmi_send(target.id);
	if (!target.claim.try_set(ctx, asked) && // S1
	    !fault::planted(NMIPROF_FAULT_two_outstanding)) {
		// Asked again: since S1 it may have come, and the next one would then be
		// sent without a flag.
		if (!long_ago(due.sent_at.get(), lost_after_ns) || !target.claim.outstanding() ||
		    fault::planted(NMIPROF_FAULT_no_offline_reset))
			return due.coalesced.inc();
		due.lost_timeout.inc();
		shim_trace_nmi_lost(target.id, NMIPROF_LOST_TIMEOUT);
	}
	due.sent.inc();
	due.sent_by.set(self);
	shim_fault_pause();
	if (!fault::planted(NMIPROF_FAULT_late_flag))
		shim_nmi_send(target.id); // S2
	shim_fault_pause();
	due.sent_at.set(shim_now_ns()); // S3
}

// False: it is not due.
bool nmi_timer::serve(const irq_context &ctx, nmiprof_cpu &target, u64 now, u64 slack,
		      unsigned int self) noexcept
{
	deadline &due = target.due;

	if (!due.overdue(now, slack))
		return false;
	if (!due.try_begin())
		return true; // somebody is at it
	const u64 periods = due.overdue(now, slack) ? due.take_due(now) : 0;

	if (periods)
		due.served_by.set(self);
	if (periods && !target.sampled_by.anybody()) {
		due.skipped_unwanted.add(periods);
	} else if (periods) {
		due.skipped_overrun.add(periods - 1);
		send(ctx, target, self,
		     self == target.id ? claim_state::asked_by_self : claim_state::asked);
	}
	due.end();
	return true;
}

// From `first` on along the ring as long as the next one is due, or was served by `self` the
// last time; once around at most. Returns when those want to be looked after whose own
// server `self` stands in for, `never`: there are none.
kstd::uint64_t nmi_timer::serve_ring(const irq_context &ctx, const plan &p, nmiprof_cpu &first,
				     unsigned int self, u64 now) noexcept
{
	// A ring of one without a backup: nobody else can send.
	const bool alone = first.id == self && !p.helps_only(self);
	bool stands_in = p.helps_only(self);
	nmiprof_cpu *target = &first;
	u64 look = never;

	do {
		const bool to_self = target->id == self;
		const u64 slack = to_self && !alone ? p.slack_ns() : 0;
		const bool served = serve(ctx, *target, now, slack, self);
		const bool mine = target->due.served_by.get() == self;

		if (!served && !mine)
			break;
		if (stands_in && mine)
			look = kstd::min(look, target->due.next() + p.slack_ns());
		if (to_self)
			break;
		stands_in = true;
		target = shim_cpu_state(p.serves(target->id));
	} while (target != &first);
	return look;
}

kstd::uint64_t nmi_timer::tick(const irq_context &ctx, unsigned int self, u64 now) noexcept
{
	const plan *p = plan_.read(ctx);

	shim_fault_pause();
	if (!p || p->serves(self) == plan::nobody || halted_.load_relaxed())
		return 0;

	nmiprof_cpu &first = *shim_cpu_state(p->serves(self));
	const u64 look = serve_ring(ctx, *p, first, self, now);
	u64 own = own_expiry(*p, self, first.due);

	// Somebody else is serving it, or stopping it, at the moment.
	if (own <= now || own > now + 3 * p->period_ns())
		own = now + p->period_ns();
	return kstd::min(own, kstd::max(look, now + p->shortest_pause_ns()));
}

// When `self` looks next after whom it serves `first`, whether or not it stands in for others.
kstd::uint64_t nmi_timer::own_expiry(const plan &p, unsigned int self,
				     const deadline &first) noexcept
{
	// A helper looks between the expiries of the one that it may stand in for.
	return first.next() + (p.helps_only(self) ? p.period_ns() / 2 : 0);
}

kstd::uint64_t nmi_timer::first_expiry(const irq_context &ctx, unsigned int self) noexcept
{
	const plan *p = plan_.read(ctx);

	if (!p || p->serves(self) == plan::nobody || halted_.load_relaxed())
		return 0;
	return own_expiry(*p, self, shim_cpu_state(p->serves(self))->due);
}

result<void> nmi_timer::request(const irq_context &ctx, unsigned int self,
				unsigned int cpu) noexcept
{
	if (!shim_cpu_online(cpu) || halted_.load_relaxed())
		return errc::no_device;

	nmiprof_cpu &target = *shim_cpu_state(cpu);

	if (!target.due.try_begin())
		return errc::again;
	target.due.requested.inc();
	send(ctx, target, self, claim_state::asked);
	target.due.end();
	return {};
}

// The turn, for process context: a sender has it for as long as a send takes.
template <class F> static void in_turn(deadline &due, F f) noexcept
{
	preempt_guard guard;

	while (!due.try_begin())
		shim_cpu_relax();
	f();
	due.end();
}

// All periods up to `now` are accounted for, and no more fall due.
static void close_periods(deadline &due, kstd::uint64_t now) noexcept
{
	in_turn(due, [&due, now] {
		due.skipped_stopped.add(due.take_due(now));
		due.stop();
	});
}

void nmi_timer::follow(const update_lock &lock, const may_sleep &sleep, plan *fresh) noexcept
{
	const plan *was = plan_.read(lock);
	const unsigned int nr = shim_nr_cpu_ids();
	unsigned int place = 0;

	for (unsigned int cpu = 0; fresh && cpu < nr; cpu++) {
		if (!fresh->samples(cpu))
			continue;
		place++;
		if (was && was->samples(cpu) && was->period_ns() == fresh->period_ns())
			continue; // its periods go on as they were
		deadline &due = shim_cpu_state(cpu)->due;
		const u64 period = fresh->period_ns();
		const u64 phase = period * place / fresh->sampled(); // spread over a period

		close_periods(due, shim_now_ns());
		in_turn(due, [&] { due.start(shim_now_ns() + period + phase, period); });
	}

	const u64 stopped_at = shim_now_ns();

	if (fresh)
		tick_ns_.store_relaxed(fresh->period_ns());
	plan *old = plan_.exchange(lock, fresh).reclaim(sleep);

	for (unsigned int cpu = 0; old && cpu < nr; cpu++) {
		if (old->samples(cpu) && !(fresh && fresh->samples(cpu)))
			close_periods(shim_cpu_state(cpu)->due, stopped_at);
		if (old->serves(cpu) != plan::nobody &&
		    !(fresh && fresh->serves(cpu) != plan::nobody))
			shim_timer_cancel(cpu);
	}
	for (unsigned int cpu = 0; fresh && cpu < nr; cpu++)
		if (fresh->serves(cpu) != plan::nobody)
			shim_timer_kick(cpu);
	plan::destroy(sleep, old);
}

// The NMI that was sent to `c` so long ago will not come. In the turn no sender sets
// the flag again, so that `handled` tells whether the target took it just now after all.
static void give_up(const may_sleep &sleep, nmiprof_cpu &c, nmiprof_lost why) noexcept
{
	in_turn(c.due, [&] {
		kstd::uint64_t inside = 0, handled = 0;

		// Between two ticks: amid one that has been counted the flag can still be set.
		do {
			inside = c.inside.read_begin();
			handled = c.handled.get();
		} while (c.inside.changed_since(inside));
		if (!long_ago(c.due.sent_at.get(), lost_after_ns) || !c.claim.reset(sleep))
			return;
		for (unsigned int i = 0; i < spins_for_nmi || c.inside.entered(); i++)
			shim_cpu_relax();
		if (c.handled.get() != handled)
			return;
		(why == NMIPROF_LOST_OFFLINE ? c.due.lost_offline : c.due.lost_timeout).inc();
		shim_trace_nmi_lost(c.id, why);
	});
}

// Waits until nothing is outstanding, or what is has been lost; while `steps` last, as
// other modules may go on asking for samples.
static void await(const may_sleep &sleep, nmiprof_cpu &c, nmiprof_lost why,
		  unsigned int &steps) noexcept
{
	for (; steps && c.claim.outstanding(); steps--) {
		if (long_ago(c.due.sent_at.get(), lost_after_ns))
			give_up(sleep, c, why);
		else
			shim_sleep_us(settle_step_us);
	}
}

void nmi_timer::settle_cpu(const update_lock &, const may_sleep &sleep, unsigned int cpu) noexcept
{
	nmiprof_cpu &c = *shim_cpu_state(cpu);
	unsigned int steps = settle_steps;

	if (fault::planted(NMIPROF_FAULT_no_offline_reset))
		return;
	await(sleep, c, NMIPROF_LOST_OFFLINE, steps);
}

void nmi_timer::settle(const update_lock &, const may_sleep &sleep) noexcept
{
	unsigned int steps = settle_steps; // for all together

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (nmiprof_cpu *c = shim_cpu_state(cpu))
			await(sleep, *c, NMIPROF_LOST_TIMEOUT, steps);
	// One that another NMI overtook may still be on its way (claim.hpp, L1).
	shim_sleep_us(2 * late_window_us);
}

} // namespace nmiprof
