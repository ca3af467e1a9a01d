// SPDX-License-Identifier: GPL-2.0-only
// A retired object made by hand.
// expect: is private within this context
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
retired<int> use(rcu_ptr<int> &p, const update_lock &lock)
{
	return p.exchange(lock, nullptr);
}
#endif
#ifdef MISUSE
retired<int> use(int *object)
{
	return retired<int>(object);
}
#endif
