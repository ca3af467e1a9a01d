// SPDX-License-Identifier: GPL-2.0-only
// Nor with preemption off: it sleeps.
// expect: no matching function for call to .nmiprof::update_lock::update_lock
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(const may_sleep &sleep)
{
	update_lock lock(sleep);
}
#endif
#ifdef MISUSE
void use()
{
	preempt_guard guard;
	update_lock lock(guard);
}
#endif
