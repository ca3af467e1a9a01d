// SPDX-License-Identifier: GPL-2.0-only
// A retired object: readers may still be in it.
// expect: no match for .operator\*.
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int use(retired<int> &old, const may_sleep &sleep)
{
	return *old.reclaim(sleep);
}
#endif
#ifdef MISUSE
int use(retired<int> &old, const may_sleep &)
{
	return *old;
}
#endif
