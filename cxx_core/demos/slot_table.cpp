// SPDX-License-Identifier: GPL-2.0-only
#include "demos/slot_table.hpp"

#include "shim/object.h"
#include "shim/random.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using nmiprof::rcu_read_guard;
using nmiprof::retired;
using nmiprof::spin_guard;

constinit slot_table the_slots;

namespace {

contents for_slot(uint32_t slot, uint64_t number) noexcept
{
	return {slot, 0, number, ~number};
}

} // namespace

void broken_promises::check(const contents &is, uint32_t slot) noexcept
{
	const uint64_t number = is.number, mirror = is.mirror;

	if (is.dead)
		seen_dead.add_relaxed(1);
	if (is.slot != slot)
		wrong_slot.add_relaxed(1);
	if (mirror != ~number)
		torn.add_relaxed(1);
}

void slot_table::init() noexcept
{
	rcu_lock_.init();
	global_lock_.init();
}

// Objects

// Filled in under its lock: a reader who is late may hold it.
reused_object *slot_table::make_reused(const may_sleep &sleep, const contents &is) noexcept
{
	reused_object *o = cache_.alloc(sleep);

	if (!o)
		return nullptr;
	const spin_guard held(o->lock);

	o->is = is;
	count.allocated.add_relaxed(1);
	return o;
}

ordinary_object *slot_table::make_ordinary(const may_sleep &, const contents &is) noexcept
{
	void *place = shim_object_alloc(sizeof(ordinary_object));

	if (!place)
		return nullptr;
	auto *o = new (kstd::here{place}) ordinary_object;

	o->is = is;
	count.allocated.add_relaxed(1);
	return o;
}

// No slot leads to it. A reader who found it in time may hold its lock: it is waited for.
void slot_table::free_reused(reused_object *o) noexcept
{
	{
		const spin_guard held(o->lock);

		o->is.dead = 1;
	}
	cache_.free(o);
	count.freed.add_relaxed(1);
}

void slot_table::free_ordinary(ordinary_object *o) noexcept
{
	shim_object_free(o);
	count.freed.add_relaxed(1);
}

// The table

result<void> slot_table::fill_slot(const may_sleep &sleep, uint32_t slot) noexcept
{
	const contents is = for_slot(slot, shim_random());

	reused_object *reused = make_reused(sleep, is);
	ordinary_object *under_rcu = make_ordinary(sleep, is);
	ordinary_object *locked = make_ordinary(sleep, is);

	typesafe_[slot].exchange(reused);
	rcu_[slot].init(under_rcu);
	locked_[slot] = locked;
	return reused && under_rcu && locked ? result<void>() : errc::no_memory;
}

result<void> slot_table::fill(const may_sleep &sleep) noexcept
{
	result<void> done = cache_.create(sleep, "rcu_demo_typesafe");

	for (uint32_t slot = 0; slot < max_slots && done; slot++)
		done = fill_slot(sleep, slot);
	if (!done)
		clear(sleep);
	return done;
}

void slot_table::clear(const may_sleep &sleep) noexcept
{
	for (uint32_t slot = 0; slot < max_slots; slot++) {
		if (reused_object *o = typesafe_[slot].exchange(nullptr))
			free_reused(o);
		if (ordinary_object *o = kstd::exchange<ordinary_object *>(locked_[slot], nullptr))
			free_ordinary(o);
		if (in_rcu_slot(slot))
			free_later(withdraw(slot, nullptr));
	}
	waiting.settle(sleep);
	cache_.destroy(sleep);
}

bool slot_table::in_rcu_slot(uint32_t slot) const noexcept
{
	const rcu_read_guard section;

	return rcu_[slot].read(section);
}

slot_table::random_pick slot_table::pick() const noexcept
{
	const uint32_t random = shim_random();

	return {random % slots.load_relaxed(), random};
}

// Readers

void slot_table::read(reads &tally) noexcept
{
	const uint32_t slot = pick().slot;

	tally.done++;
	switch (way.load_relaxed()) {
	case lookup::typesafe:
		return read_typesafe(slot, tally);
	case lookup::rcu:
		return read_rcu(slot);
	case lookup::global_lock:
		return read_locked(slot);
	}
}

void slot_table::read_typesafe(uint32_t slot, reads &tally) noexcept
{
	typesafe_[slot].with([&](const reused_object &o) noexcept { broken.check(o.is, slot); },
			     [&](const reused_object &other) noexcept {
				     tally.retries++;
				     tally.reused += !other.is.dead;
			     });
}

void slot_table::read_rcu(uint32_t slot) noexcept
{
	const rcu_read_guard section;

	broken.check(rcu_[slot].read(section)->is, slot);
}

void slot_table::read_locked(uint32_t slot) noexcept
{
	const slot_lock held(global_lock_);

	broken.check(locked_[slot]->is, slot);
}

// Writers

uint64_t slot_table::replace_some(const may_sleep &sleep, uint64_t times) noexcept
{
	uint64_t done = 0;

	while (done < times && replace(sleep))
		done++;
	waiting.bound(sleep);
	return done;
}

result<void> slot_table::replace(const may_sleep &sleep) noexcept
{
	const random_pick picked = pick();
	const contents is = for_slot(picked.slot, picked.number);
	const lookup how = way.load_relaxed();
	const result<void> done = how == lookup::typesafe ? replace_typesafe(sleep, is)
				  : how == lookup::rcu	  ? replace_rcu(sleep, is)
							  : replace_locked(sleep, is);

	if (done)
		count.replaces.add_relaxed(1);
	return done;
}

result<void> slot_table::replace_typesafe(const may_sleep &sleep, const contents &is) noexcept
{
	reused_object *fresh = make_reused(sleep, is);

	if (!fresh)
		return errc::no_memory;
	free_reused(typesafe_[is.slot].exchange(fresh));
	return {};
}

result<void> slot_table::replace_rcu(const may_sleep &sleep, const contents &is) noexcept
{
	ordinary_object *fresh = make_ordinary(sleep, is);

	if (!fresh)
		return errc::no_memory;
	free_later(withdraw(is.slot, fresh));
	return {};
}

// What comes back is not marked dead: readers use it until they have left their sections.
retired<ordinary_object> slot_table::withdraw(uint32_t slot, ordinary_object *fresh) noexcept
{
	const slot_lock held(rcu_lock_);

	return rcu_[slot].exchange(held, fresh);
}

void slot_table::free_later(retired<ordinary_object> old) noexcept
{
	old.free_later();
	count.freed.add_relaxed(1);
	waiting.hands_over();
}

result<void> slot_table::replace_locked(const may_sleep &sleep, const contents &is) noexcept
{
	ordinary_object *old = make_ordinary(sleep, is);

	if (!old)
		return errc::no_memory;
	{
		const slot_lock held(global_lock_);

		old = kstd::exchange<ordinary_object *>(locked_[is.slot], old);
		old->is.dead = 1;
	}
	free_ordinary(old);
	return {};
}

} // namespace rcu_demo
