// SPDX-License-Identifier: GPL-2.0-only
// A guard that is gone when its token is used: preemption is on again.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void touch(const preempt_off &);
void use()
{
	preempt_guard guard;
	touch(guard);
}
#endif
#ifdef MISUSE
void touch(const preempt_off &);
void use()
{
	touch(preempt_guard());
}
#endif
