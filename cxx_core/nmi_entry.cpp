// SPDX-License-Identifier: GPL-2.0-only
// What happens in an NMI, from the shim's trampoline to the handlers and back:
// claim.hpp's T1 to T5 and L1.
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"
#include "shim/counter.h"
#include "shim/trace.h"
#include "time.hpp"

using namespace nmiprof;

namespace {

// shim_cycles() comes round no sooner than this (2^32 cycles at 8 GHz).
constexpr kstd::uint64_t cycles_wrap_ns = 500'000'000;

[[gnu::always_inline]] inline int end_of_tick(const nmi_context &ctx, nmiprof_cpu &cpu,
					      kstd::uint32_t handlers_ended) noexcept
{
	cpu.handled.inc();
	cpu.handlers_ended.set(handlers_ended); // T3
	cpu.claim.clear(ctx); // T4
	cpu.inside.write_end();
	return fault::planted(NMIPROF_FAULT_return_two) ? 2 : 1; // T5
}

// T1 of an NMI without a claim, for L1: did it begin soon after a tick's handlers had
// ended? How long other handlers and the kernel take from here on does not matter.
void note_tick_before(nmiprof_cpu &cpu) noexcept
{
	const kstd::uint32_t ended = cpu.handlers_ended.get();
	const kstd::uint32_t since = shim_cycles() - ended;
	const bool soon = since * kstd::uint64_t{1000} <= late_window_us * shim_cycles_per_ms() &&
			  !long_ago(cpu.due.sent_at.get(), cycles_wrap_ns);

	cpu.soon_after.set(soon ? ended : ended - 1);
}

// Any NMI, any handlers.
[[gnu::noinline]] int general(const nmi_context &ctx, nmiprof_cpu &cpu) noexcept
{
	const claim_state claim = cpu.claim.pending(ctx); // T1

	if (claim == claim_state::free) {
		cpu.how |= NMIPROF_FOREIGN;
		note_tick_before(cpu);
	} else if (claim == claim_state::asked_by_self)
		shim_nmi_look_below_irq(&cpu);

	const registry::outcome outcome = handlers.dispatch(ctx, cpu); // T2

	if (claim == claim_state::free) {
		cpu.foreign.inc();
		cpu.inside.write_end();
		return outcome.claims != 0;
	}
	return end_of_tick(ctx, cpu, outcome.ended);
}

} // namespace

// First the most frequent case, a tick in kernel text with the profile as the only
// handler: the same steps as in general(), but in one piece, which takes half as many
// instructions (docs/performance.md). All is checked before anything is done.
extern "C" int nmiprof_core_on_nmi(nmiprof_cpu *c, pt_regs *regs, shim_u64 ip,
				   shim_u32 how) noexcept
{
	const nmi_context &ctx = entry::nmi();
	nmiprof_cpu &cpu = *c;
	const handler_table *table = handlers.table(ctx);
	slab *s = cpu.slab.read(ctx);
	kstd::uint64_t at = 0;

	shim_fault_pause();
	cpu.inside.write_begin();
	if (cpu.claim.pending(ctx) != claim_state::asked || // T1
	    !table->only_profile || !s || !s->has_own_bin(at = s->index(ip), how)) {
		static_cast<nmiprof_nmi &>(cpu) = {regs, ip, how, cpu.due.sent_by.get()};
		return general(ctx, cpu);
	}

	const kstd::uint32_t began = shim_cycles(); // T2

	cpu.samples.inc();
	s->count_own(ctx, at, how);

	const kstd::uint32_t ended = shim_cycles();

	stats_of(cpu, table->entries[0]).add(1, ended - began);
	return end_of_tick(ctx, cpu, ended);
}

// A sample without a sender. The NMI itself is perf's: its handler has called this, claims
// it, and the claim flag is not looked at.
extern "C" void nmiprof_core_on_overflow(nmiprof_cpu *cpu, pt_regs *regs, shim_u64 ip,
					 shim_u32 how) noexcept
{
	const nmi_context &ctx = entry::nmi();

	cpu->inside.write_begin();
	static_cast<nmiprof_nmi &>(*cpu) = {regs, ip, how | NMIPROF_OVERFLOW, cpu->id};
	cpu->overflows.inc();
	handlers.dispatch(ctx, *cpu);
	cpu->inside.write_end();
}

// L1. Nobody claimed this NMI. Is it one of ours that another NMI overtook?
extern "C" int nmiprof_core_on_unknown_nmi(nmiprof_cpu *cpu) noexcept
{
	const nmi_context &ctx = entry::nmi();

	static_cast<void>(ctx);
	if (fault::planted(NMIPROF_FAULT_swallow_unknown))
		return 1;

	const kstd::uint32_t handlers_ended = cpu->handlers_ended.get();

	if (handlers_ended == cpu->late_after.get())
		return 0;

	// In this order: a sender does S3 before it ends its turn.
	const bool sending = cpu->due.in_turn();
	const kstd::uint64_t sent_at = cpu->due.sent_at.get();
	const bool soon_after_handlers = cpu->soon_after.get() == handlers_ended;

	if (!soon_after_handlers && !sending && long_ago(sent_at, late_window_us * 1000))
		return 0;
	cpu->inside.write_begin();
	cpu->late_after.set(handlers_ended);
	cpu->late.inc();
	shim_trace_nmi_late(cpu->id);
	cpu->inside.write_end();
	return 1;
}
