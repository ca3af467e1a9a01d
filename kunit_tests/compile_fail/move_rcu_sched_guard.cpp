// SPDX-License-Identifier: GPL-2.0-only
// A rcu_sched_guard moved: it would be released twice.
// expect: use of deleted function
#include "context.hpp"
#include "kstd/utility.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	rcu_sched_guard guard;
	static_cast<void>(guard);
}
#endif
#ifdef MISUSE
void use()
{
	rcu_sched_guard guard;
	rcu_sched_guard another(kstd::move(guard));
}
#endif
