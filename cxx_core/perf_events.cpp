// SPDX-License-Identifier: GPL-2.0-only
#include "perf_events.hpp"

#include "core.hpp"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/perf.h"

namespace nmiprof {

using kstd::errc;
using kstd::result;

constinit perf_events the_perf_events;

namespace {

bool excluded(kstd::uint32_t flags, kstd::uint32_t how) noexcept
{
	if (how & NMIPROF_USER)
		return flags & (NMIPROF_EVENT_NO_USER | NMIPROF_EVENT_IRQS_OFF);
	// As for cpu-clock: whatever runs in the idle task's stead, interrupts included.
	return (flags & NMIPROF_EVENT_NO_KERNEL) ||
	       ((flags & NMIPROF_EVENT_NO_IDLE) && (how & NMIPROF_IDLE_TASK)) ||
	       ((flags & NMIPROF_EVENT_IRQS_OFF) && !(how & NMIPROF_IRQS_OFF));
}

} // namespace

unsigned int perf_events::on_nmi(void *, const nmiprof_nmi *nmi) noexcept
{
	if (nmi->how & (NMIPROF_FOREIGN | NMIPROF_OVERFLOW))
		return 0;

	auto &cpu = *static_cast<nmiprof_cpu *>(const_cast<nmiprof_nmi *>(nmi));
	const kstd::uint32_t began = shim_cycles();
	const u64 tick_ns = the_timer.tick_ns();
	const u64 each = u64{1} << cpu.perf_budget.shift(); // periods for one sample
	unsigned int samples = 0;

	for (nmiprof_event *e = cpu.sampled_by.perf.load_relaxed(); e;
	     e = e->next_active.load_relaxed()) {
		const u64 period_ns = e->whole->period_ns.load_relaxed() * each;

		if (!e->divider.take(tick_ns, period_ns))
			continue;
		cpu.perf_due.add(each);
		cpu.perf_throttled.add(each - 1);
		if (excluded(e->flags, nmi->how)) {
			cpu.perf_excluded.inc();
		} else {
			shim_perf_sample(e->perf, nmi->regs, period_ns);
			cpu.perf_delivered.inc();
			samples++;
		}
	}

	const kstd::uint32_t percent = the_perf_events.budget();

	if (cpu.perf_budget.spent(began, shim_cycles(), percent))
		shim_log_over_budget(cpu.id, percent);
	return samples;
}

void perf_events::added(u64 period_ns) noexcept
{
	if (!shortest_ || period_ns < shortest_) {
		shortest_ = period_ns;
		as_short_ = 0;
	}
	as_short_ += period_ns == shortest_;
}

// Looks at all others only when the last one of the shortest period goes.
void perf_events::removed(u64 period_ns) noexcept
{
	if (period_ns != shortest_ || --as_short_)
		return;
	shortest_ = 0;
	for (const nmiprof_event *e = open_; e; e = e->next_open)
		added(e->period_ns.load_relaxed());
}

nmiprof_event *perf_events::allocate(struct perf_event *perf, kstd::uint32_t flags) noexcept
{
	void *memory = shim_alloc(sizeof(nmiprof_event), 0);

	if (!memory)
		return nullptr;
	auto *e = new (kstd::here{memory}) nmiprof_event;

	e->perf = perf;
	e->flags = flags;
	e->whole = e;
	return e;
}

result<nmiprof_event *> perf_events::open(const update_lock &, const may_sleep &,
					  struct perf_event *perf, u64 period_ns,
					  kstd::uint32_t flags) noexcept
{
	nmiprof_event *e = allocate(perf, flags);

	if (!e)
		return errc::no_memory;
	e->period_ns.store_relaxed(period_ns);
	e->next_open = open_;
	e->previous_open = nullptr;
	if (open_)
		open_->previous_open = e;
	open_ = e;
	added(period_ns);
	return e;
}

result<nmiprof_event *> perf_events::inherit(const may_sleep &, nmiprof_event &of,
					     struct perf_event *perf, kstd::uint32_t flags) noexcept
{
	nmiprof_event *e = allocate(perf, flags);

	if (!e)
		return errc::no_memory;
	e->whole = of.whole;
	return e;
}

void perf_events::close(const may_sleep &, nmiprof_event *e) noexcept
{
	if (e->whole != e)
		return shim_free(e);

	nmiprof_event *top = nullptr;

	do {
		top = closed_.load_relaxed();
		e->next_closed = top;
	} while (!closed_.compare_exchange(top, e));
}

void perf_events::unlink(nmiprof_event &e) noexcept
{
	if (e.next_open)
		e.next_open->previous_open = e.previous_open;
	(e.previous_open ? e.previous_open->next_open : open_) = e.next_open;
	removed(e.period_ns.load_relaxed());
}

void perf_events::set_period(nmiprof_event &e, u64 period_ns) noexcept
{
	const u64 was = e.period_ns.load_relaxed();

	e.period_ns.store_relaxed(period_ns);
	added(period_ns);
	removed(was);
}

void perf_events::take_changes(const update_lock &, const may_sleep &) noexcept
{
	nmiprof_event *next = nullptr;

	for (nmiprof_event *e = closed_.exchange(nullptr); e; e = next) {
		next = e->next_closed;
		unlink(*e);
		shim_free(e);
	}
	for (nmiprof_event *e = open_; e; e = e->next_open) {
		const u64 asked = e->asked_ns.load_relaxed();

		if (asked && asked != e->period_ns.load_relaxed())
			set_period(*e, asked);
	}
}

void perf_events::start(const irq_context &, nmiprof_cpu &cpu, nmiprof_event &e) noexcept
{
	e.next_active.store_relaxed(cpu.sampled_by.perf.load_relaxed());
	// The NMI that sees `e` also sees what comes after it.
	cpu.sampled_by.perf.store_release(&e);
}

void perf_events::stop(const irq_context &, nmiprof_cpu &cpu, nmiprof_event &e) noexcept
{
	kstd::atomic<nmiprof_event *> *link = &cpu.sampled_by.perf;

	while (link->load_relaxed() && link->load_relaxed() != &e)
		link = &link->load_relaxed()->next_active;
	if (link->load_relaxed())
		link->store_release(e.next_active.load_relaxed());
}

} // namespace nmiprof
