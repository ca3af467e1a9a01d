// SPDX-License-Identifier: GPL-2.0-only
// The claim flag is reset where nothing can arrive any more, which takes a wait.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::may_sleep
#include "core.hpp"
#include "entry.hpp"
#include "handler_table.hpp"

using namespace nmiprof;

#ifndef MISUSE
bool use(claim_flag &f, const may_sleep &sleep)
{
	return f.reset(sleep);
}
#endif
#ifdef MISUSE
bool use(claim_flag &f, const irq_context &irq)
{
	return f.reset(irq);
}
#endif
