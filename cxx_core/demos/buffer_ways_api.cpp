// SPDX-License-Identifier: GPL-2.0-only
// The extern "C" side of the profile buffer in three ways.
#include "demos/buffer_ways.h"
#include "demos/buffer_ways.hpp"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::errc;
using kstd::to_errno;
using nmiprof::entry;

namespace {

static_assert(BUFFER_WAYS_WAYS == buffer_ways_count);
static_assert(BUFFER_WAYS_LOCK == static_cast<int>(buffer_way::lock));
static_assert(BUFFER_WAYS_RCU == static_cast<int>(buffer_way::rcu));

buffer_ways_ledger for_c(const buffer_ledger &l) noexcept
{
	return {l.samples,	 l.drained,
		l.live,		 l.no_buffer,
		l.lock_held,	 l.raced,
		l.unaccounted(), {l.seen_freed[0], l.seen_freed[1], l.seen_freed[2]}};
}

} // namespace

extern "C" {

void buffer_ways_init(void) noexcept
{
	the_buffer_ways.init();
}

int buffer_ways_start(void) noexcept
{
	return to_errno(the_buffer_ways.start(entry::process()).error());
}

void buffer_ways_stop(void) noexcept
{
	the_buffer_ways.stop(entry::process());
}

void buffer_ways_sample(unsigned int cpu) noexcept
{
	the_buffer_ways.sample(entry::nmi(), cpu);
}

int buffer_ways_swap(void) noexcept
{
	return to_errno(the_buffer_ways.swap(entry::process()).error());
}

buffer_ways_way buffer_ways_get_way(void) noexcept
{
	return static_cast<buffer_ways_way>(the_buffer_ways.way());
}

int buffer_ways_set_way(buffer_ways_way way) noexcept
{
	return to_errno(
		the_buffer_ways.set_way(entry::process(), static_cast<buffer_way>(way)).error());
}

shim_u64 buffer_ways_hold_ns(void) noexcept
{
	return the_buffer_ways.nmi_hold_ns.load_relaxed();
}

void buffer_ways_set_hold_ns(shim_u64 ns) noexcept
{
	the_buffer_ways.nmi_hold_ns.store_relaxed(ns);
}

int buffer_ways_read(buffer_ways_ledger *out) noexcept
{
	buffer_ledger l;
	const errc err = the_buffer_ways.read(entry::process(), l).error();

	if (err == errc::ok)
		*out = for_c(l);
	return to_errno(err);
}

int buffer_ways_read_cpu(unsigned int cpu, buffer_ways_ledger *out) noexcept
{
	buffer_ledger l;
	const errc err = the_buffer_ways.read_cpu(entry::process(), cpu, l).error();

	if (err == errc::ok)
		*out = for_c(l);
	return to_errno(err);
}

void buffer_ways_swaps(buffer_ways_way way, demo_durations *out) noexcept
{
	the_buffer_ways.swaps[way].copy(*out);
}

void buffer_ways_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_buffer_ways.objects.copy(allocated, freed);
}

} // extern "C"
