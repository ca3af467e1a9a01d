// SPDX-License-Identifier: GPL-2.0-only
// Published by one that does not hold the update lock.
// expect: cannot convert|no matching function|invalid initialization
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(rcu_ptr<int> &p, const update_lock &lock, const may_sleep &sleep)
{
	p.exchange(lock, nullptr).reclaim(sleep);
}
#endif
#ifdef MISUSE
void use(rcu_ptr<int> &p, const may_sleep &sleep)
{
	p.exchange(sleep, nullptr).reclaim(sleep);
}
#endif
