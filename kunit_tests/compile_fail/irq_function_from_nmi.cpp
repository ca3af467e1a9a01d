// SPDX-License-Identifier: GPL-2.0-only
// An NMI is not an interrupt: nothing is sent from it.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::irq_context
#include "entry.hpp"

using namespace nmiprof;

#ifndef MISUSE
void send(const irq_context &);
void use(const irq_context &irq)
{
	send(irq);
}
#endif
#ifdef MISUSE
void send(const irq_context &);
void use(const nmi_context &nmi)
{
	send(nmi);
}
#endif
