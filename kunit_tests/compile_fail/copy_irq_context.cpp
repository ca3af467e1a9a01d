// SPDX-License-Identifier: GPL-2.0-only
// A irq_context copied.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const irq_context &token)
{
	const irq_context &same = token;
	static_cast<void>(same);
}
#endif
#ifdef MISUSE
void use(const irq_context &token)
{
	const irq_context copy = token;
	static_cast<void>(copy);
}
#endif
