// SPDX-License-Identifier: GPL-2.0-only
// A may_sleep copied.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const may_sleep &token)
{
	const may_sleep &same = token;
	static_cast<void>(same);
}
#endif
#ifdef MISUSE
void use(const may_sleep &token)
{
	const may_sleep copy = token;
	static_cast<void>(copy);
}
#endif
