// SPDX-License-Identifier: GPL-2.0-only
// A read section can be preempted.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::preempt_off
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
	rcu_read_guard guard;
	touch(guard);
}
#endif
