// SPDX-License-Identifier: GPL-2.0-only
// A rcu_read copied out of its guard.
// expect: use of deleted function
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void use()
{
	rcu_read_guard guard;
	const rcu_read &token = guard;
	static_cast<void>(token);
}
#endif
#ifdef MISUSE
void use()
{
	rcu_read_guard guard;
	const rcu_read token = guard;
	static_cast<void>(token);
}
#endif
