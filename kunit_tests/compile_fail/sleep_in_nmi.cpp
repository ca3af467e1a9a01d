// SPDX-License-Identifier: GPL-2.0-only
// No sleep in an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void wait(const may_sleep &);
void use()
{
	wait(entry::process());
}
#endif
#ifdef MISUSE
void wait(const may_sleep &);
void use()
{
	wait(entry::nmi());
}
#endif
