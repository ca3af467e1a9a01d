// SPDX-License-Identifier: GPL-2.0-only
// A slab has one writer: its CPU's NMI handler.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::nmi_context
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(slab &s, const nmi_context &nmi)
{
	s.count(nmi, 0, 0);
}
#endif
#ifdef MISUSE
void use(slab &s, const irq_context &irq)
{
	s.count(irq, 0, 0);
}
#endif
