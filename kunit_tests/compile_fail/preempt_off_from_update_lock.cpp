// SPDX-License-Identifier: GPL-2.0-only
// The update lock is a mutex: preemption is on.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::preempt_off
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void touch(const preempt_off &);
void use(const update_lock &)
{
	preempt_guard guard;
	touch(guard);
}
#endif
#ifdef MISUSE
void touch(const preempt_off &);
void use(const update_lock &lock)
{
	touch(lock);
}
#endif
