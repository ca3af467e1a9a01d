// SPDX-License-Identifier: GPL-2.0-only
// A rcu_sched_guard copied: it would be released twice.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	rcu_sched_guard guard;
	rcu_sched_guard another;
}
#endif
#ifdef MISUSE
void use()
{
	rcu_sched_guard guard;
	rcu_sched_guard another(guard);
}
#endif
