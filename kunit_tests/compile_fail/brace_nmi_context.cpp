// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context made with braces.
// expect: is private within this context|could not convert
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
	take(nmi_context{});
}
#endif
