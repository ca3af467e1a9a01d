// SPDX-License-Identifier: GPL-2.0-only
// A irq_context made by hand.
// expect: is private within this context
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
	take(irq_context());
}
#endif
