// SPDX-License-Identifier: GPL-2.0-only
// Process context that may sleep has preemption on.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::preempt_off
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void touch(const preempt_off &);
void use(const may_sleep &)
{
	preempt_guard guard;
	touch(guard);
}
#endif
#ifdef MISUSE
void touch(const preempt_off &);
void use(const may_sleep &sleep)
{
	touch(sleep);
}
#endif
