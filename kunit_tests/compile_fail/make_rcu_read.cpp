// SPDX-License-Identifier: GPL-2.0-only
// A rcu_read made by hand.
// expect: is private within this context
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void take(const rcu_read &);
void use()
{
	rcu_read_guard guard;
	take(guard);
}
#endif
#ifdef MISUSE
void take(const rcu_read &);
void use()
{
	take(rcu_read());
}
#endif
