// SPDX-License-Identifier: GPL-2.0-only
// A preempt_guard copied: it would be released twice.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	preempt_guard guard;
	preempt_guard another;
}
#endif
#ifdef MISUSE
void use()
{
	preempt_guard guard;
	preempt_guard another(guard);
}
#endif
