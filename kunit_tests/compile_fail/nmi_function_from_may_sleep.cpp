// SPDX-License-Identifier: GPL-2.0-only
// A function of the NMI context, called from process context.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void in_nmi(const nmi_context &);
void use(const nmi_context &nmi)
{
	in_nmi(nmi);
}
#endif
#ifdef MISUSE
void in_nmi(const nmi_context &);
void use(const may_sleep &sleep)
{
	in_nmi(sleep);
}
#endif
