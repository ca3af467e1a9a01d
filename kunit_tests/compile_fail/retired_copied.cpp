// SPDX-License-Identifier: GPL-2.0-only
// A retired object copied: it would be freed twice.
// expect: use of deleted function
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int *use(retired<int> &old, const may_sleep &sleep)
{
	return old.reclaim(sleep);
}
#endif
#ifdef MISUSE
int *use(retired<int> &old, const may_sleep &sleep)
{
	retired<int> another = old;
	return another.reclaim(sleep);
}
#endif
