// SPDX-License-Identifier: GPL-2.0-only
// A member of a retired object.
// expect: base operand of .->. has non-pointer type
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
struct object {
	int value;
};
int use(retired<object> &old, const may_sleep &sleep)
{
	return old.reclaim(sleep)->value;
}
#endif
#ifdef MISUSE
struct object {
	int value;
};
int use(retired<object> &old, const may_sleep &)
{
	return old->value;
}
#endif
