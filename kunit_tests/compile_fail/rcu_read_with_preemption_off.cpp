// SPDX-License-Identifier: GPL-2.0-only
// Preemption off is not written as a read section.
// expect: no matching function for call to .nmiprof::rcu_ptr<int>::read
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int *use(const rcu_ptr<int> &p)
{
	rcu_read_guard guard;
	return p.read(guard);
}
#endif
#ifdef MISUSE
int *use(const rcu_ptr<int> &p)
{
	preempt_guard guard;
	return p.read(guard);
}
#endif
