// SPDX-License-Identifier: GPL-2.0-only
// A may_sleep moved.
// expect: use of deleted function
#include "entry.hpp"
#include "kstd/utility.hpp"

using namespace nmiprof;

#ifndef MISUSE
may_sleep &&use(may_sleep &token)
{
	return kstd::move(token);
}
#endif
#ifdef MISUSE
void use(may_sleep &token)
{
	const may_sleep moved(kstd::move(token));
	static_cast<void>(moved);
}
#endif
