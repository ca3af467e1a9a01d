// SPDX-License-Identifier: GPL-2.0-only
// Published from an NMI.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::update_lock
#include "entry.hpp"
#include "rcu.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use(rcu_ptr<int> &p, const update_lock &lock)
{
	p.publish(lock, nullptr);
}
#endif
#ifdef MISUSE
void use(rcu_ptr<int> &p, const nmi_context &nmi)
{
	p.publish(nmi, nullptr);
}
#endif
