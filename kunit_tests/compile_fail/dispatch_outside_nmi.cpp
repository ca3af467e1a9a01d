// SPDX-License-Identifier: GPL-2.0-only
// Handlers run in NMIs only.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
auto use(const nmi_context &nmi, nmiprof_cpu &cpu)
{
	return handlers.dispatch(nmi, cpu);
}
#endif
#ifdef MISUSE
auto use(const may_sleep &sleep, nmiprof_cpu &cpu)
{
	return handlers.dispatch(sleep, cpu);
}
#endif
