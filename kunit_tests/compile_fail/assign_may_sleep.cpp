// SPDX-License-Identifier: GPL-2.0-only
// A may_sleep assigned.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(may_sleep &a, const may_sleep &)
{
	static_cast<void>(a);
}
#endif
#ifdef MISUSE
void use(may_sleep &a, const may_sleep &b)
{
	a = b;
}
#endif
