// SPDX-License-Identifier: GPL-2.0-only
// The timer interrupt's way into the core.
#include "core.hpp"
#include "entry.hpp"
#include "shim/timer.h"

using namespace nmiprof;

extern "C" shim_u64 nmiprof_core_timer_start(unsigned int cpu) noexcept
{
	return the_timer.first_expiry(entry::irq(), cpu);
}

extern "C" shim_u64 nmiprof_core_on_timer(unsigned int cpu, shim_u64 now_ns) noexcept
{
	return the_timer.tick(entry::irq(), cpu, now_ns);
}
