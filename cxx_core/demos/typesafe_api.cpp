// SPDX-License-Identifier: GPL-2.0-only
// The extern "C" side of the slots.
#include "demos/slot_table.hpp"
#include "demos/typesafe.h"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::to_errno;
using nmiprof::entry;

namespace {

static_assert(TYPESAFE_MAX_SLOTS == slot_table::max_slots);
static_assert(TYPESAFE_TYPESAFE == static_cast<int>(lookup::typesafe));
static_assert(TYPESAFE_RCU == static_cast<int>(lookup::rcu));
static_assert(TYPESAFE_GLOBAL_LOCK == static_cast<int>(lookup::global_lock));

} // namespace

extern "C" {

void typesafe_init(void) noexcept
{
	the_slots.init();
}

int typesafe_fill(void) noexcept
{
	return to_errno(the_slots.fill(entry::process()).error());
}

void typesafe_clear(void) noexcept
{
	the_slots.clear(entry::process());
}

shim_u64 typesafe_get(typesafe_setting what) noexcept
{
	switch (what) {
	case TYPESAFE_WAY:
		return static_cast<shim_u64>(the_slots.way.load_relaxed());
	case TYPESAFE_SLOTS:
		return the_slots.slots.load_relaxed();
	default:
		return the_slots.waiting.max.load_relaxed();
	}
}

void typesafe_set(typesafe_setting what, shim_u64 value) noexcept
{
	switch (what) {
	case TYPESAFE_WAY:
		return the_slots.way.store_relaxed(static_cast<lookup>(value));
	case TYPESAFE_SLOTS:
		return the_slots.slots.store_relaxed(static_cast<uint32_t>(value));
	default:
		return the_slots.waiting.max.store_relaxed(value);
	}
}

void typesafe_read(shim_u64 times, typesafe_reads *done) noexcept
{
	slot_table::counters &count = the_slots.count;
	reads tally;

	while (times--)
		the_slots.read(tally);
	*done = {tally.done, tally.retries, tally.reused};
	count.reads.add_relaxed(tally.done);
	count.retries.add_relaxed(tally.retries);
	count.reused.add_relaxed(tally.reused);
}

shim_u64 typesafe_replace(shim_u64 times) noexcept
{
	return the_slots.replace_some(entry::process(), times);
}

void typesafe_count(typesafe_counts *out) noexcept
{
	const slot_table::counters &count = the_slots.count;

	out->reads = {count.reads.load_relaxed(), count.retries.load_relaxed(),
		      count.reused.load_relaxed()};
	out->waiting = the_slots.waiting.size();
	out->throttled = the_slots.waiting.throttled.load_relaxed();
	out->replaces = count.replaces.load_relaxed();
	out->seen_dead = the_slots.broken.seen_dead.load_relaxed();
	out->torn = the_slots.broken.torn.load_relaxed();
	out->wrong_slot = the_slots.broken.wrong_slot.load_relaxed();
}

void typesafe_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_slots.count.copy(allocated, freed);
}

} // extern "C"
