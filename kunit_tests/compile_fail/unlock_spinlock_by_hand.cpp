// SPDX-License-Identifier: GPL-2.0-only
// A spinlock released by who did not take it, or once more than taken.
// expect: is private within this context
#include "lock.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(spinlock &lock)
{
	spin_guard guard(lock);
}
#endif
#ifdef MISUSE
void use(spinlock &lock)
{
	spin_guard guard(lock);
	shim_spin_unlock(&lock.raw_);
}
#endif
