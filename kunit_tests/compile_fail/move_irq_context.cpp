// SPDX-License-Identifier: GPL-2.0-only
// A irq_context moved.
// expect: use of deleted function
#include "entry.hpp"
#include "kstd/utility.hpp"

using namespace nmiprof;

#ifndef MISUSE
irq_context &&use(irq_context &token)
{
	return kstd::move(token);
}
#endif
#ifdef MISUSE
void use(irq_context &token)
{
	const irq_context moved(kstd::move(token));
	static_cast<void>(moved);
}
#endif
