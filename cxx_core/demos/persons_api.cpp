// SPDX-License-Identifier: GPL-2.0-only
// The person list's extern "C" side.
#include "demos/person_list.hpp"
#include "demos/persons.h"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::errc;
using kstd::to_errno;
using nmiprof::entry;
using nmiprof::update_lock;

namespace {

static_assert(PERSONS_WAYS == reclaim_ways);
static_assert(PERSONS_KFREE == static_cast<int>(reclaim_way::kfree));
static_assert(PERSONS_SPINLOCK == static_cast<int>(protection::spinlock));
static_assert(PERSONS_IQ_MINUS_AGE == static_cast<int>(contest::iq_minus_age));
static_assert(PERSONS_MAX_SIZE == person_list::max_size);

persons_person for_c(const traits &p) noexcept
{
	return {p.num, p.age, p.iq, p.money};
}

} // namespace

extern "C" {

void persons_init(void) noexcept
{
	the_persons.init();
}

int persons_resize(shim_u64 size) noexcept
{
	const nmiprof::may_sleep &sleep = entry::process();
	const update_lock lock(sleep);

	return to_errno(the_persons.resize(lock, sleep, size).error());
}

shim_u64 persons_get(persons_setting what) noexcept
{
	switch (what) {
	case PERSONS_WAY:
		return static_cast<shim_u64>(the_persons.way.load_relaxed());
	case PERSONS_PROTECTION:
		return static_cast<shim_u64>(the_persons.readers_use.load_relaxed());
	default:
		return the_persons.waiting.max.load_relaxed();
	}
}

void persons_set(persons_setting what, shim_u64 value) noexcept
{
	switch (what) {
	case PERSONS_WAY:
		return the_persons.way.store_relaxed(static_cast<reclaim_way>(value));
	case PERSONS_PROTECTION:
		return the_persons.readers_use.store_relaxed(static_cast<protection>(value));
	default:
		return the_persons.waiting.max.store_relaxed(value);
	}
}

void persons_clear(void) noexcept
{
	const nmiprof::may_sleep &sleep = entry::process();
	const update_lock lock(sleep);

	the_persons.clear(lock, sleep);
	the_persons.waiting.settle(sleep);
}

void persons_scan(persons_contest what, const shim_u32 *stopping, persons_outcome *out) noexcept
{
	const outcome seen =
		the_persons.scan(static_cast<contest>(what),
				 *reinterpret_cast<const kstd::atomic<uint32_t> *>(stopping));

	*out = {seen.any, for_c(seen.winner), seen.persons, seen.skipped};
}

int persons_update(void) noexcept
{
	return to_errno(the_persons.update(entry::process()).error());
}

int persons_look(shim_u64 num, persons_person *out) noexcept
{
	traits p;

	if (!the_persons.look(num, p))
		return to_errno(errc::no_entry);
	*out = for_c(p);
	return 0;
}

void persons_count(persons_counts *out) noexcept
{
	const person_list::counters &c = the_persons.count;

	for (unsigned int i = 0; i < reclaim_ways; i++)
		out->updates[i] = c.updates[i].load_relaxed();
	out->waiting = the_persons.waiting.size();
	out->throttled = the_persons.waiting.throttled.load_relaxed();
	out->replacing_mean_ns = c.replacing.mean_ns();
}

void persons_grace_periods(persons_way way, demo_durations *out) noexcept
{
	the_persons.grace_periods(static_cast<reclaim_way>(way)).copy(*out);
}

void persons_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_persons.count.copy(allocated, freed);
}

} // extern "C"
