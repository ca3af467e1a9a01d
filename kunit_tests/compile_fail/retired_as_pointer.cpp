// SPDX-License-Identifier: GPL-2.0-only
// A retired object handed on as a pointer, to be freed at once.
// expect: cannot convert
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
void release(int *);
void use(retired<int> &old, const may_sleep &sleep)
{
	release(old.reclaim(sleep));
}
#endif
#ifdef MISUSE
void release(int *);
void use(retired<int> &old, const may_sleep &)
{
	release(old);
}
#endif
