// SPDX-License-Identifier: GPL-2.0-only
// A irq_context made with braces.
// expect: is private within this context|could not convert
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void take(const irq_context &);
void use()
{
	take(entry::irq());
}
#endif
#ifdef MISUSE
void take(const irq_context &);
void use()
{
	take(irq_context{});
}
#endif
