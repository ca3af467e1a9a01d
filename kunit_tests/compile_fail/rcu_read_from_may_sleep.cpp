// SPDX-License-Identifier: GPL-2.0-only
// A context that may sleep is no read section.
// expect: no matching function for call to .nmiprof::rcu_ptr<int>::read
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int *use(const rcu_ptr<int> &p, const may_sleep &)
{
	rcu_read_guard guard;
	return p.read(guard);
}
#endif
#ifdef MISUSE
int *use(const rcu_ptr<int> &p, const may_sleep &sleep)
{
	return p.read(sleep);
}
#endif
