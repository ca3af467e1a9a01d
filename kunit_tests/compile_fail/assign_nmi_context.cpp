// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context assigned.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(nmi_context &a, const nmi_context &)
{
	static_cast<void>(a);
}
#endif
#ifdef MISUSE
void use(nmi_context &a, const nmi_context &b)
{
	a = b;
}
#endif
