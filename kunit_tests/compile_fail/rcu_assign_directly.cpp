// SPDX-License-Identifier: GPL-2.0-only
// A pointer assigned past rcu_assign_pointer().
// expect: no match for .operator=.
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(rcu_ptr<int> &p, const update_lock &lock, int *fresh)
{
	p.publish(lock, fresh);
}
#endif
#ifdef MISUSE
void use(rcu_ptr<int> &p, const update_lock &, int *fresh)
{
	p = fresh;
}
#endif
