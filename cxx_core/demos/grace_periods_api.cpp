// SPDX-License-Identifier: GPL-2.0-only
// The extern "C" side of waiting for grace periods.
#include "demos/grace_periods.h"
#include "demos/grace_periods.hpp"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::to_errno;
using nmiprof::entry;

namespace {

static_assert(GRACE_PERIODS_WAYS == wait_ways);
static_assert(GRACE_PERIODS_EXPEDITED == static_cast<int>(wait_way::expedited));
static_assert(GRACE_PERIODS_CALL == static_cast<int>(wait_way::call));
static_assert(GRACE_PERIODS_POLLED == static_cast<int>(wait_way::polled));
static_assert(GRACE_PERIODS_MAX_READERS == grace_periods::max_readers);

grace_periods_staleness for_c(const staleness &s) noexcept
{
	const uint64_t looks = s.looks ? s.looks : 1;

	return {s.looks, s.versions_sum * 1000 / looks, s.versions_longest, s.ns_sum / looks,
		s.ns_longest};
}

} // namespace

extern "C" {

void grace_periods_init(void) noexcept
{
	the_grace_periods.init();
}

int grace_periods_start(void) noexcept
{
	return to_errno(the_grace_periods.start(entry::process()).error());
}

void grace_periods_stop(void) noexcept
{
	the_grace_periods.stop(entry::process());
}

void grace_periods_look(unsigned int reader, shim_u64 hold_us, const shim_u32 *stopping) noexcept
{
	the_grace_periods.look(reader, hold_us,
			       *reinterpret_cast<const kstd::atomic<uint32_t> *>(stopping));
}

int grace_periods_renew(void) noexcept
{
	return to_errno(the_grace_periods.renew(entry::process()).error());
}

grace_periods_way grace_periods_get_way(void) noexcept
{
	return static_cast<grace_periods_way>(the_grace_periods.way.load_relaxed());
}

void grace_periods_set_way(grace_periods_way way) noexcept
{
	the_grace_periods.way.store_relaxed(static_cast<wait_way>(way));
}

void grace_periods_waits(grace_periods_way way, demo_durations *out) noexcept
{
	the_grace_periods.waits[way].copy(*out);
}

void grace_periods_seen_by(unsigned int reader, grace_periods_staleness *out) noexcept
{
	*out = for_c(the_grace_periods.seen_by(reader));
}

void grace_periods_seen_by_all(grace_periods_staleness *out) noexcept
{
	*out = for_c(the_grace_periods.seen_by_all());
}

void grace_periods_count(grace_periods_counts *out) noexcept
{
	out->returned_early = the_grace_periods.returned_early.load_relaxed();
	out->seen_freed = the_grace_periods.seen_freed();
}

void grace_periods_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_grace_periods.objects.copy(allocated, freed);
}

} // extern "C"
