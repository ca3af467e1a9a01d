// SPDX-License-Identifier: GPL-2.0-only
// A may_sleep made by way of a class derived from it.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
struct holder {
	const may_sleep &token;
};
void use(const may_sleep &token)
{
	const holder h = {token};
	static_cast<void>(h);
}
#endif
#ifdef MISUSE
struct forged : may_sleep {};
void use()
{
	forged f;
	static_cast<void>(f);
}
#endif
