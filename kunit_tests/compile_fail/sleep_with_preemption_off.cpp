// SPDX-License-Identifier: GPL-2.0-only
// A preempt_guard is no leave to sleep.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void wait(const may_sleep &);
void use(const may_sleep &sleep)
{
	wait(sleep);
}
#endif
#ifdef MISUSE
void wait(const may_sleep &);
void use()
{
	preempt_guard guard;
	wait(guard);
}
#endif
