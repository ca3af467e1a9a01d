// SPDX-License-Identifier: GPL-2.0-only
// A irq_context assigned.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(irq_context &a, const irq_context &)
{
	static_cast<void>(a);
}
#endif
#ifdef MISUSE
void use(irq_context &a, const irq_context &b)
{
	a = b;
}
#endif
