// SPDX-License-Identifier: GPL-2.0-only
#include "profile.hpp"

#include "core.hpp"
#include "entry.hpp"
#include "shim/trace.h"

namespace nmiprof {

using kstd::errc;
using kstd::result;

constinit profile the_profile;

namespace {

nmiprof_cpu &cpu_of(const nmiprof_nmi &nmi) noexcept
{
	return static_cast<nmiprof_cpu &>(const_cast<nmiprof_nmi &>(nmi));
}

void count(const nmi_context &ctx, nmiprof_cpu &cpu) noexcept
{
	cpu.samples.inc();
	slab *s = cpu.slab.read(ctx);

	shim_fault_pause();
	if (s)
		s->count(ctx, cpu.ip, cpu.how);
	else
		cpu.no_buffer.inc();
}

} // namespace

unsigned int profile::on_nmi(void *, const nmiprof_nmi *nmi) noexcept
{
	if (nmi->how & (NMIPROF_FOREIGN | NMIPROF_OVERFLOW))
		return 0;

	nmiprof_cpu &cpu = cpu_of(*nmi);
	const kstd::uint64_t period_ns = cpu.sampled_by.profile_ns.load_relaxed();

	if (!period_ns || !cpu.profile_divider.take(the_timer.tick_ns(), period_ns))
		return 0;
	count(entry::nmi(), cpu);
	return 1;
}

unsigned int profile::on_overflow(void *, const nmiprof_nmi *nmi) noexcept
{
	if (!(nmi->how & NMIPROF_OVERFLOW))
		return 0;
	count(entry::nmi(), cpu_of(*nmi));
	return 1;
}

geometry profile::shape(const update_lock &lock) const noexcept
{
	const profile_buffer *b = live_.read(lock);

	return b ? b->shape() : geometry{};
}

unsigned int profile::slabs(const update_lock &lock) const noexcept
{
	const profile_buffer *b = live_.read(lock);
	unsigned int n = 0;

	for (unsigned int cpu = 0; b && cpu < shim_nr_cpu_ids(); cpu++)
		n += b->of(cpu) != nullptr;
	return n;
}

profile_buffer *profile::swap(const update_lock &lock, const may_sleep &sleep,
			      profile_buffer *fresh) noexcept
{
	retired<profile_buffer> old = live_.exchange(lock, fresh);

	for (unsigned int cpu = 0; counting_ && cpu < shim_nr_cpu_ids(); cpu++)
		if (nmiprof_cpu *c = shim_cpu_state(cpu))
			c->slab.exchange(lock, fresh ? fresh->of(cpu) : nullptr).joins(old);

	const kstd::uint64_t published = shim_now_ns();
	profile_buffer *was = old.reclaim(sleep);

	shim_trace_buffer_swapped(was ? was->bytes() : 0, fresh ? fresh->bytes() : 0,
				  shim_now_ns() - published);

	if (fault::planted(NMIPROF_FAULT_size_outside)) {
		shim_fault_gap();
		slab::size_outside = fresh ? fresh->shape().nbins : 0;
	}
	if (fault::planted(NMIPROF_FAULT_no_drain))
		return was;
	for (unsigned int cpu = 0; was && cpu < shim_nr_cpu_ids(); cpu++)
		if (const slab *s = was->of(cpu))
			shim_cpu_state(cpu)->retired.add(*s);
	return was;
}

void profile::start(const update_lock &lock) noexcept
{
	const profile_buffer *b = live_.read(lock);

	counting_ = true;
	if (fault::planted(NMIPROF_FAULT_size_outside))
		slab::size_outside = b ? b->shape().nbins : 0;
	for (unsigned int cpu = 0; b && cpu < shim_nr_cpu_ids(); cpu++)
		if (slab *s = b->of(cpu))
			shim_cpu_state(cpu)->slab.publish(lock, s);
}

void profile::stop(const update_lock &lock, const may_sleep &sleep) noexcept
{
	retired<slab> last;

	// The slabs stay in live_: what is retired is the NMIs' use of them.
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (nmiprof_cpu *c = shim_cpu_state(cpu))
			if (c->slab.read(lock))
				c->slab.exchange(lock, nullptr).joins(last);
	counting_ = false;
	shim_synchronize_rcu();
	static_cast<void>(sleep);
}

result<void> profile::add_cpu(const update_lock &lock, const may_sleep &sleep,
			      unsigned int cpu) noexcept
{
	profile_buffer *b = live_.read(lock);

	if (!b)
		return {};
	if (auto added = b->add_cpu(sleep, cpu); !added)
		return added;
	if (counting_)
		shim_cpu_state(cpu)->slab.publish(lock, b->of(cpu));
	return {};
}

result<report *> profile::look(const update_lock &lock, const may_sleep &sleep) noexcept
{
	const profile_buffer *b = live_.read(lock);
	report *r = report::make(sleep, shape(lock), slabs(lock));

	if (!r)
		return errc::no_memory;
	if (b)
		r->take(sleep, *b);
	return r;
}

result<report *> profile::drain(const update_lock &lock, const may_sleep &sleep) noexcept
{
	const profile_buffer *b = live_.read(lock);

	if (!b)
		return look(lock, sleep); // never enabled: an empty report
	// All memory first, so that nothing is lost for the want of it.
	report *r = report::make(sleep, b->shape(), slabs(lock));
	profile_buffer *fresh =
		r ? prepare(sleep, b->shape(), [b](unsigned int cpu) { return b->of(cpu); })
		  : nullptr;

	if (!fresh) {
		report::destroy(sleep, r);
		return errc::no_memory;
	}
	profile_buffer *old = swap(lock, sleep, fresh);

	r->take(sleep, *old);
	profile_buffer::destroy(sleep, old);
	return r;
}

void profile::discard_into(const update_lock &lock, const may_sleep &sleep,
			   profile_buffer *fresh) noexcept
{
	profile_buffer *old = swap(lock, sleep, fresh);

	for (unsigned int cpu = 0; old && cpu < shim_nr_cpu_ids(); cpu++)
		if (const slab *s = old->of(cpu))
			discarded_.add(s->binned.get());
	profile_buffer::destroy(sleep, old);
}

void profile::discard(const update_lock &lock, const may_sleep &sleep) noexcept
{
	discard_into(lock, sleep, nullptr);
}

kstd::size_t profile::bytes(const update_lock &lock) const noexcept
{
	const profile_buffer *b = live_.read(lock);

	return b ? b->bytes() : 0;
}

} // namespace nmiprof
