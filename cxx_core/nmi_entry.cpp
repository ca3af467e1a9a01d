// SPDX-License-Identifier: GPL-2.0-only
// What happens in an NMI, from the shim's trampoline to the handlers and back:
// claim.hpp's T1 to T5 and L1.
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

extern "C" int nmiprof_core_on_nmi(nmiprof_nmi *nmi) noexcept
{
	const nmi_context &ctx = entry::nmi();
	nmiprof_cpu &cpu = *nmi->cpu;

	cpu.inside.write_begin();

	const claim_state claim = cpu.claim.pending(ctx); // T1

	if (__builtin_expect(claim != claim_state::free, 1)) {
		nmi->how |= NMIPROF_TICK;
		if (__builtin_expect(claim == claim_state::asked_by_self, 0))
			shim_nmi_look_below_irq(nmi);
	}

	const registry::outcome outcome = handlers.dispatch(ctx, *nmi); // T2

	if (__builtin_expect(claim == claim_state::free, 0)) {
		cpu.foreign.inc();
		cpu.inside.write_end();
		return outcome.claims != 0;
	}
	cpu.handled.inc();
	cpu.handlers_ended.set(outcome.ended); // T3
	cpu.late_credit.set(1);
	cpu.claim.clear(ctx); // T4
	cpu.inside.write_end();
	return 1; // T5
}

// L1. Nobody claimed this NMI. Is it one of ours that another NMI overtook?
extern "C" int nmiprof_core_on_unknown_nmi(nmiprof_cpu *cpu) noexcept
{
	const nmi_context &ctx = entry::nmi();

	static_cast<void>(ctx);
	if (!cpu->late_credit.get())
		return 0;

	const kstd::uint64_t since_handlers = shim_cycles() - cpu->handlers_ended.get();
	const bool soon_after_handlers = since_handlers * 1000 <=
					 late_window_us * shim_cycles_per_ms();

	if (!soon_after_handlers && !cpu->due.in_turn() &&
	    shim_now_ns() - cpu->due.sent_at.get() > late_window_us * 1000)
		return 0;
	cpu->inside.write_begin();
	cpu->late_credit.set(0);
	cpu->late.inc();
	cpu->inside.write_end();
	return 1;
}
