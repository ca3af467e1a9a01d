// SPDX-License-Identifier: GPL-2.0-only
// A grace period waited for in an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "entry.hpp"
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
int *use(retired<int> &old)
{
	return old.reclaim(entry::process());
}
#endif
#ifdef MISUSE
int *use(retired<int> &old)
{
	return old.reclaim(entry::nmi());
}
#endif
