// SPDX-License-Identifier: GPL-2.0-only
#include "ledger.hpp"

#include "core.hpp"
#include "shim/sched.h"

namespace nmiprof {

namespace {

// Tries before giving up: at first at once, then a second's worth of naps.
constexpr unsigned int quick_tries = 64, slow_tries = 10'000, nap_us = 100;

void copy(const update_lock &lock, const nmiprof_cpu &c, ledger &l) noexcept
{
	const deadline &d = c.due;
	const profile_buffer *b = the_profile.live(lock);
	const slab *s = b ? b->of(c.id) : nullptr;

	l[term::due] = d.due() + d.requested.get();
	l[term::sent] = d.sent.get();
	l[term::coalesced] = d.coalesced.get();
	l[term::skipped_overrun] = d.skipped_overrun.get();
	l[term::skipped_offline] = d.skipped_offline.get();
	l[term::skipped_unwanted] = d.skipped_unwanted.get();
	l[term::skipped_stopped] = d.skipped_stopped.get();
	l[term::handled] = c.handled.get();
	l[term::outstanding] = c.claim.outstanding();
	l[term::lost_offline] = d.lost_offline.get();
	l[term::lost_timeout] = d.lost_timeout.get();
	l[term::late] = c.late.get();
	l[term::foreign] = c.foreign.get();
	l[term::overflows] = c.overflows.get();
	l[term::samples] = c.samples.get();
	l[term::no_buffer] = c.no_buffer.get();
	l[term::binned] = c.retired.binned.get() + (s ? s->binned.get() : 0);
	l[term::user] = c.retired.user.get() + (s ? s->user.get() : 0);
	l[term::idle] = c.retired.idle.get() + (s ? s->idle.get() : 0);
	l[term::out_of_range] = c.retired.out_of_range.get() + (s ? s->out_of_range.get() : 0);
	l[term::perf_due] = c.perf_due.get();
	l[term::perf_delivered] = c.perf_delivered.get();
	l[term::perf_excluded] = c.perf_excluded.get();
	l[term::perf_throttled] = c.perf_throttled.get();
}

} // namespace

kstd::result<ledger> read_ledger(const update_lock &lock, const may_sleep &,
				 unsigned int cpu) noexcept
{
	const nmiprof_cpu *c = shim_cpu_state(cpu);
	ledger l;

	for (unsigned int i = 0; i < quick_tries + slow_tries; i++) {
		// Both the senders' and the NMI's part must stand still meanwhile.
		const kstd::uint64_t turn = c->due.read_begin();
		const kstd::uint64_t inside = c->inside.read_begin();

		copy(lock, *c, l);
		if (!c->inside.changed_since(inside) && !c->due.changed_since(turn))
			return l;
		if (i < quick_tries)
			shim_cpu_relax();
		else
			shim_sleep_us(nap_us);
	}
	return kstd::errc::again;
}

} // namespace nmiprof
