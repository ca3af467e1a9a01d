// SPDX-License-Identifier: GPL-2.0-only
// A value or an error, not looked at.
// expect: ignoring returned value of type .kstd::result<int>
#include "context.hpp"
#include "kstd/result.hpp"

using namespace nmiprof;

#ifndef MISUSE
kstd::result<int> find();
bool use()
{
	return static_cast<bool>(find());
}
#endif
#ifdef MISUSE
kstd::result<int> find();
void use()
{
	find();
}
#endif
