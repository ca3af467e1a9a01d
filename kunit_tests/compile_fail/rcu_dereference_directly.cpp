// SPDX-License-Identifier: GPL-2.0-only
// An rcu_ptr is no pointer.
// expect: no match for .operator\*.|base operand of .->.
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int use(const rcu_ptr<int> &p)
{
	rcu_read_guard guard;
	return *p.read(guard);
}
#endif
#ifdef MISUSE
int use(const rcu_ptr<int> &p)
{
	return *p;
}
#endif
