// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context copied.
// expect: use of deleted function
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const nmi_context &token)
{
	const nmi_context &same = token;
	static_cast<void>(same);
}
#endif
#ifdef MISUSE
void use(const nmi_context &token)
{
	const nmi_context copy = token;
	static_cast<void>(copy);
}
#endif
