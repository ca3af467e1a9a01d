// SPDX-License-Identifier: GPL-2.0-only
// A grace period waited for inside a read section: for ever.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int *use(retired<int> &old, const may_sleep &sleep)
{
	return old.reclaim(sleep);
}
#endif
#ifdef MISUSE
int *use(retired<int> &old)
{
	rcu_read_guard guard;
	return old.reclaim(guard);
}
#endif
