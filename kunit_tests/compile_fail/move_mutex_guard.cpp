// SPDX-License-Identifier: GPL-2.0-only
// A mutex_guard handed on: who has it could be another task.
// expect: use of deleted function
#include "kstd/utility.hpp"
#include "mutex.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const may_sleep &sleep, mutex &lock)
{
	mutex_guard guard(sleep, lock);
	static_cast<void>(guard);
}
#endif
#ifdef MISUSE
void use(const may_sleep &sleep, mutex &lock)
{
	mutex_guard guard(sleep, lock);
	mutex_guard another(kstd::move(guard));
}
#endif
