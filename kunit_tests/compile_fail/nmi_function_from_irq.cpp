// SPDX-License-Identifier: GPL-2.0-only
// An interrupt is not an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void in_irq(const irq_context &);
void use()
{
	in_irq(entry::irq());
}
#endif
#ifdef MISUSE
void in_nmi(const nmi_context &);
void use()
{
	in_nmi(entry::irq());
}
#endif
