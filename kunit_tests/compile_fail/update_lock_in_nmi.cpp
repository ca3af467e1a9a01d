// SPDX-License-Identifier: GPL-2.0-only
// The update lock is never taken in an NMI (spec A4).
// expect: no matching function for call to .nmiprof::update_lock::update_lock
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	update_lock lock(entry::process());
}
#endif
#ifdef MISUSE
void use()
{
	update_lock lock(entry::nmi());
}
#endif
