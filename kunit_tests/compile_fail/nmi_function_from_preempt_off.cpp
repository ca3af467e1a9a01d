// SPDX-License-Identifier: GPL-2.0-only
// Preemption off is not an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void in_nmi(const preempt_off &);
void use(const preempt_guard &guard)
{
	in_nmi(guard);
}
#endif
#ifdef MISUSE
void in_nmi(const nmi_context &);
void use(const preempt_guard &guard)
{
	in_nmi(guard);
}
#endif
