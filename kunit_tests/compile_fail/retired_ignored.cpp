// SPDX-License-Identifier: GPL-2.0-only
// A retired object dropped: it would leak.
// expect: ignoring returned value of type .nmiprof::retired
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(rcu_ptr<int> &p, const update_lock &lock, const may_sleep &sleep)
{
	p.exchange(lock, nullptr).reclaim(sleep);
}
#endif
#ifdef MISUSE
void use(rcu_ptr<int> &p, const update_lock &lock, const may_sleep &)
{
	p.exchange(lock, nullptr);
}
#endif
