// SPDX-License-Identifier: GPL-2.0-only
// The timer's work is done in its interrupt.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::irq_context
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
unsigned long use(const irq_context &irq)
{
	return the_timer.tick(irq, 0, 0);
}
#endif
#ifdef MISUSE
unsigned long use(const may_sleep &sleep)
{
	return the_timer.tick(sleep, 0, 0);
}
#endif
