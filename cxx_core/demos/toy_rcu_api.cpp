// SPDX-License-Identifier: GPL-2.0-only
// The toy RCU's extern "C" side.
#include "demos/toy_rcu.h"
#include "demos/toy_rcu.hpp"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::to_errno;
using nmiprof::entry;

namespace {

static_assert(TOY_RCU_WAYS == update_ways);
static_assert(TOY_RCU_TOY == static_cast<int>(update_way::toy));
static_assert(TOY_RCU_EXPEDITED == static_cast<int>(update_way::expedited));
static_assert(TOY_RCU_MAX_SECTION_US == toy_rcu::max_section_us);

} // namespace

extern "C" {

void toy_rcu_init(void) noexcept
{
	the_toy_rcu.init();
}

int toy_rcu_begin(void) noexcept
{
	return to_errno(the_toy_rcu.begin(entry::process()).error());
}

void toy_rcu_end(void) noexcept
{
	the_toy_rcu.end(entry::process());
}

shim_u64 toy_rcu_get(toy_rcu_setting what) noexcept
{
	return what == TOY_RCU_WAY ? static_cast<shim_u64>(the_toy_rcu.way.load_relaxed())
				   : the_toy_rcu.section_us.load_relaxed();
}

void toy_rcu_set(toy_rcu_setting what, shim_u64 value) noexcept
{
	if (what == TOY_RCU_WAY)
		the_toy_rcu.way.store_relaxed(static_cast<update_way>(value));
	else
		the_toy_rcu.section_us.store_relaxed(value);
}

void toy_rcu_read(void) noexcept
{
	the_toy_rcu.read();
}

int toy_rcu_update(void) noexcept
{
	return to_errno(the_toy_rcu.update(entry::process()).error());
}

void toy_rcu_count(toy_rcu_counts *out) noexcept
{
	const toy_rcu::counters &count = the_toy_rcu.count;

	out->reads = count.reads.load_relaxed();
	for (unsigned int i = 0; i < update_ways; i++)
		out->updates[i] = count.updates[i].load_relaxed();
	out->seen_freed = count.seen_freed.load_relaxed();
	out->cpus = count.cpus.load_relaxed();
}

void toy_rcu_waits(toy_rcu_way way, demo_durations *out) noexcept
{
	the_toy_rcu.count.waits[way].copy(*out);
}

void toy_rcu_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_toy_rcu.count.copy(allocated, freed);
}

} // extern "C"
