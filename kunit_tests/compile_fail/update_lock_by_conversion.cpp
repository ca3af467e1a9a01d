// SPDX-License-Identifier: GPL-2.0-only
// Taking a lock is written out.
// expect: (invalid initialization of reference of type|cannot convert .* to) .const nmiprof::update_lock
#include "context.hpp"

using namespace nmiprof;

#ifndef MISUSE
void change(const update_lock &);
void use(const may_sleep &sleep)
{
	const update_lock lock(sleep);
	change(lock);
}
#endif
#ifdef MISUSE
void change(const update_lock &);
void use(const may_sleep &sleep)
{
	change(sleep);
}
#endif
