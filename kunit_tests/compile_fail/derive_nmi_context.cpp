// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context made by way of a class derived from it.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
struct holder {
	const nmi_context &token;
};
void use(const nmi_context &token)
{
	const holder h = {token};
	static_cast<void>(h);
}
#endif
#ifdef MISUSE
struct forged : nmi_context {};
void use()
{
	forged f;
	static_cast<void>(f);
}
#endif
