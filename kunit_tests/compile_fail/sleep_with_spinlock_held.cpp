// SPDX-License-Identifier: GPL-2.0-only
// A spin_guard is no leave to sleep.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "lock.hpp"

using namespace nmiprof;

#ifndef MISUSE
void *allocate(const may_sleep &);
void *use(const may_sleep &sleep)
{
	return allocate(sleep);
}
#endif
#ifdef MISUSE
void *allocate(const may_sleep &);
void *use(spinlock &lock)
{
	spin_guard guard(lock);
	return allocate(guard);
}
#endif
