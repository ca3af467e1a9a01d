// SPDX-License-Identifier: GPL-2.0-only
// The claim flag is never set in an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::irq_context
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
bool use(claim_flag &f, const irq_context &irq)
{
	return f.try_set(irq, claim_state::asked);
}
#endif
#ifdef MISUSE
bool use(claim_flag &f, const nmi_context &nmi)
{
	return f.try_set(nmi, claim_state::asked);
}
#endif
