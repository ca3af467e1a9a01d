// SPDX-License-Identifier: GPL-2.0-only
// A preempt_off made by hand.
// expect: is private within this context
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void take(const preempt_off &);
void use()
{
	preempt_guard guard;
	take(guard);
}
#endif
#ifdef MISUSE
void take(const preempt_off &);
void use()
{
	take(preempt_off());
}
#endif
