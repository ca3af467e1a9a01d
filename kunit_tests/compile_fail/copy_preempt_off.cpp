// SPDX-License-Identifier: GPL-2.0-only
// A preempt_off copied out of its guard.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	preempt_guard guard;
	const preempt_off &token = guard;
	static_cast<void>(token);
}
#endif
#ifdef MISUSE
void use()
{
	preempt_guard guard;
	const preempt_off token = guard;
	static_cast<void>(token);
}
#endif
