// SPDX-License-Identifier: GPL-2.0-only
// A pointer read outside a read section.
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
	return p.read();
}
#endif
