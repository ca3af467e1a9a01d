// SPDX-License-Identifier: GPL-2.0-only
// A nmi_context moved.
// expect: use of deleted function
#include "entry.hpp"
#include "kstd/utility.hpp"

using namespace nmiprof;

#ifndef MISUSE
nmi_context &&use(nmi_context &token)
{
	return kstd::move(token);
}
#endif
#ifdef MISUSE
void use(nmi_context &token)
{
	const nmi_context moved(kstd::move(token));
	static_cast<void>(moved);
}
#endif
