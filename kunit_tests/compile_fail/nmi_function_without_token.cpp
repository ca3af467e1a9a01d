// SPDX-License-Identifier: GPL-2.0-only
// A function of the NMI context, called without its token.
// expect: too few arguments|no matching function|invalid initialization
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
void use()
{
	in_nmi();
}
#endif
