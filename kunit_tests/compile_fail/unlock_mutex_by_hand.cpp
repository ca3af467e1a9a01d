// SPDX-License-Identifier: GPL-2.0-only
// A mutex released by who did not take it.
// expect: is private within this context
#include "mutex.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const may_sleep &sleep, mutex &lock)
{
	mutex_guard guard(sleep, lock);
}
#endif
#ifdef MISUSE
void use(const may_sleep &, mutex &lock)
{
	shim_mutex_unlock(&lock.raw_);
}
#endif
