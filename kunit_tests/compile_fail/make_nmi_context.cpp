// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context made by hand.
// expect: is private within this context
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void take(const nmi_context &);
void use()
{
	take(entry::nmi());
}
#endif
#ifdef MISUSE
void take(const nmi_context &);
void use()
{
	take(nmi_context());
}
#endif
