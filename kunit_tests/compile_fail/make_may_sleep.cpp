// SPDX-License-Identifier: GPL-2.0-only
// A may_sleep made by hand.
// expect: is private within this context
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void take(const may_sleep &);
void use()
{
	take(entry::process());
}
#endif
#ifdef MISUSE
void take(const may_sleep &);
void use()
{
	take(may_sleep());
}
#endif
