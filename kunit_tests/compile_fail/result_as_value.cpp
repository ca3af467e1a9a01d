// SPDX-License-Identifier: GPL-2.0-only
// A result used as its value without a look at the error.
// expect: cannot convert
#include "context.hpp"
#include "kstd/result.hpp"

using namespace nmiprof;

#ifndef MISUSE
kstd::result<int> find();
int use()
{
	auto r = find();
	return r ? r.value() : 0;
}
#endif
#ifdef MISUSE
kstd::result<int> find();
int use()
{
	return find();
}
#endif
