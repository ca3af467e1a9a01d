// SPDX-License-Identifier: GPL-2.0-only
// A drain sleeps.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
bool use(const update_lock &lock, const may_sleep &sleep)
{
	return static_cast<bool>(the_profile.drain(lock, sleep));
}
#endif
#ifdef MISUSE
bool use(const update_lock &lock, const irq_context &irq)
{
	return static_cast<bool>(the_profile.drain(lock, irq));
}
#endif
