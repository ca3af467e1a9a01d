// SPDX-License-Identifier: GPL-2.0-only
// A spin_guard copied: the lock would be released twice.
// expect: use of deleted function
#include "lock.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(spinlock &lock)
{
	spin_guard guard(lock);
	static_cast<void>(guard);
}
#endif
#ifdef MISUSE
void use(spinlock &lock)
{
	spin_guard guard(lock);
	spin_guard another(guard);
}
#endif
