// SPDX-License-Identifier: GPL-2.0-only
// An update_lock copied: it would be released twice.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const may_sleep &sleep)
{
	update_lock lock(sleep);
}
#endif
#ifdef MISUSE
void use(const may_sleep &sleep)
{
	update_lock lock(sleep);
	update_lock again(lock);
}
#endif
