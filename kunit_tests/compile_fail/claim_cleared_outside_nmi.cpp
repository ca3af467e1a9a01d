// SPDX-License-Identifier: GPL-2.0-only
// The claim flag is cleared by the NMI alone.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(claim_flag &f, const nmi_context &nmi)
{
	f.clear(nmi);
}
#endif
#ifdef MISUSE
void use(claim_flag &f, const may_sleep &sleep)
{
	f.clear(sleep);
}
#endif
