// SPDX-License-Identifier: GPL-2.0-only
// The registry changed from a handler.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::update_lock
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
bool use(const update_lock &lock, const may_sleep &sleep)
{
	return static_cast<bool>(handlers.remove(lock, sleep, 1));
}
#endif
#ifdef MISUSE
bool use(const nmi_context &nmi, const may_sleep &sleep)
{
	return static_cast<bool>(handlers.remove(nmi, sleep, 1));
}
#endif
