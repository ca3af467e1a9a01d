// SPDX-License-Identifier: GPL-2.0-only
// What is found would outlive its read section.
// expect: use of deleted function
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
	return *p.read(rcu_read_guard());
}
#endif
