// SPDX-License-Identifier: GPL-2.0-only
// A result counted with.
// expect: no match for .operator\+.|cannot convert
#include "context.hpp"
#include "kstd/result.hpp"

using namespace nmiprof;

#ifndef MISUSE
kstd::result<int> find();
int use()
{
	auto r = find();
	return 1 + (r ? r.value() : 0);
}
#endif
#ifdef MISUSE
kstd::result<int> find();
int use()
{
	return 1 + find();
}
#endif
