// SPDX-License-Identifier: GPL-2.0-only
// An error not looked at.
// expect: ignoring returned value of type .kstd::result<void>
#include "context.hpp"
#include "kstd/result.hpp"

using namespace nmiprof;

#ifndef MISUSE
kstd::result<void> change();
bool use()
{
	return static_cast<bool>(change());
}
#endif
#ifdef MISUSE
kstd::result<void> change();
void use()
{
	change();
}
#endif
