// SPDX-License-Identifier: GPL-2.0-only
#include "demos/person_list.hpp"

#include "shim/clock.h"
#include "shim/memory.h"
#include "shim/object.h"
#include "shim/random.h"
#include "shim/sched.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using nmiprof::rcu_read_guard;
using nmiprof::read_guard;
using nmiprof::retired;
using nmiprof::update_lock;
using nmiprof::write_guard;

constinit person_list the_persons;

namespace {

constexpr uint32_t ages = 100, iqs = 256, moneys = 1'000'000;
// Memory that is left to the rest of the machine.
constexpr uint64_t reserve = 64 << 20;
constexpr uint64_t bytes_each = sizeof(person) + sizeof(void *);
// So long, in persons, the lock is held at a time, or no look taken at `stopping`.
constexpr uint64_t batch = 512;

// The contests: who takes part, and whether a beats b. Ratios are compared without a
// division: a/b > c/d as a*d > c*b, all positive and under 2^32.

struct money_per_age {
	static bool takes_part(const traits &p) noexcept
	{
		return p.age != 0;
	}
	static bool beats(const traits &a, const traits &b) noexcept
	{
		return uint64_t{a.money} * b.age > uint64_t{b.money} * a.age;
	}
};

struct money_per_iq {
	static bool takes_part(const traits &p) noexcept
	{
		return p.iq != 0;
	}
	static bool beats(const traits &a, const traits &b) noexcept
	{
		return uint64_t{a.money} * b.iq > uint64_t{b.money} * a.iq;
	}
};

struct iq_minus_age {
	static bool takes_part(const traits &) noexcept
	{
		return true;
	}
	static bool beats(const traits &a, const traits &b) noexcept
	{
		return uint64_t{a.iq} + b.age > uint64_t{b.iq} + a.age;
	}
};

} // namespace

void person_list::init() noexcept
{
	lock_.init();
	readers_lock_.init();
}

// Resizing

// each(lock, number) for [first, end). The lock is not held for long at a time.
template <class Each>
void person_list::in_batches(uint64_t first, uint64_t end, Each &&each) noexcept
{
	for (uint64_t num = first; num < end; shim_cond_resched()) {
		const uint64_t stop = kstd::min(num + batch, end);
		const person_lock held(lock_);

		for (; num < stop; num++)
			each(held, num);
	}
}

person *person_list::make_person(const may_sleep &, uint64_t num) noexcept
{
	void *place = shim_object_alloc(sizeof(person));

	if (!place)
		return nullptr;
	person *p = new (kstd::here{place}) person;

	p->is = {static_cast<uint32_t>(num), shim_random() % ages, shim_random() % iqs,
		 shim_random() % moneys};
	count.allocated.add_relaxed(1);
	return p;
}

void person_list::free_person(person *p) noexcept
{
	shim_object_free(p);
	count.freed.add_relaxed(1);
}

person_list::table *person_list::make_table(uint64_t size, table *with_chunks_of) noexcept
{
	const uint64_t chunks = (size + chunk_slots - 1) / chunk_slots;
	auto *t = static_cast<table *>(shim_alloc(sizeof(table) + chunks * sizeof(void *), 0));

	if (!t)
		return nullptr;
	t->size = size;
	t->chunks = chunks;
	for (uint64_t c = 0; with_chunks_of && c < kstd::min(chunks, with_chunks_of->chunks); c++)
		t->at()[c] = with_chunks_of->at()[c];
	return t;
}

// Persons from number `first` on, and the chunks that they need. Nobody sees the table.
result<void> person_list::fill(const may_sleep &sleep, table *t, uint64_t first) noexcept
{
	for (uint64_t num = first; num < t->size; num++) {
		chunk *&c = t->at()[num / chunk_slots];

		if (!c) {
			if (void *place = shim_object_alloc(sizeof(chunk)))
				c = new (kstd::here{place}) chunk;
		}
		person *p = c ? make_person(sleep, num) : nullptr;

		if (!p) {
			unfill(t, first, num);
			return errc::no_memory;
		}
		t->of(num).init(p);
		if (num % batch == 0)
			shim_cond_resched();
	}
	return {};
}

// Frees persons [first, end) and all chunks that have none below `first`. Nobody sees them.
void person_list::unfill(table *t, uint64_t first, uint64_t end) noexcept
{
	in_batches(first, end, [&](const person_lock &held, uint64_t num) noexcept {
		person *p = t->of(num).read(held);

		t->of(num).init(nullptr);
		free_person(p);
	});
	for (uint64_t c = (first + chunk_slots - 1) / chunk_slots; c < t->chunks; c++)
		shim_object_free(t->at()[c]);
}

// Persons from `first` on come into the list.
void person_list::link(table *t, uint64_t first) noexcept
{
	in_batches(first, t->size, [&](const person_lock &held, uint64_t num) noexcept {
		list_.push_front(held, t->of(num).read(held));
	});
}

void person_list::unlink(table *t, uint64_t first, const retired<table> &whole) noexcept
{
	in_batches(first, t->size, [&](const person_lock &held, uint64_t num) noexcept {
		list_.remove(held, t->of(num).read(held)).joins(whole);
	});
}

retired<person_list::table> person_list::publish(table *fresh) noexcept
{
	const person_lock held(lock_);

	return table_.exchange(held, fresh);
}

result<void> person_list::resize(const update_lock &, const may_sleep &sleep,
				 uint64_t size) noexcept
{
	table *now = current_table();
	const uint64_t had = now ? now->size : 0;

	if (size > had && (size - had) * bytes_each + reserve > shim_memory_available())
		return errc::no_memory;
	table *fresh = make_table(size, now);

	if (!fresh)
		return errc::no_memory;
	if (size > had) {
		if (const result<void> filled = fill(sleep, fresh, had); !filled) {
			shim_free(fresh);
			return filled;
		}
		// Readers meet the new ones at once; writers, as soon as the table is there.
		link(fresh, had);
	}
	change_table(sleep, now, fresh);
	return {};
}

void person_list::clear(const update_lock &, const may_sleep &sleep) noexcept
{
	if (table *now = current_table())
		change_table(sleep, now, nullptr);
}

person_list::table *person_list::current_table() noexcept
{
	const person_lock held(lock_);

	return table_.read(held);
}

void person_list::change_table(const may_sleep &sleep, table *now, table *fresh) noexcept
{
	const uint64_t had = now ? now->size : 0, keeps = fresh ? fresh->size : 0;
	retired<table> old = publish(fresh);

	// No writer comes to those beyond the new size any more.
	if (keeps < had)
		unlink(now, keeps, old);
	if (!now)
		return;
	old.reclaim(sleep);
	if (keeps < had)
		unfill(now, keeps, had);
	shim_free(now);
}

uint64_t person_list::size() const noexcept
{
	const rcu_read_guard section;
	const table *t = table_.read(section);

	return t ? t->size : 0;
}

bool person_list::look(uint64_t num, traits &copy) const noexcept
{
	const rcu_read_guard section;
	table *t = table_.read(section);

	if (!t || num >= t->size)
		return false;
	copy = t->of(num).read(section)->is;
	return true;
}

// Readers

// Not inlined: what readers under different locks are compared by must be the same
// instructions, not copies one of which may lie across two pages.
template <class Contest>
[[gnu::noinline]] outcome person_list::walk(const rcu_read &section,
					    const kstd::atomic<uint32_t> &stopping) const noexcept
{
	outcome seen;

	list_.for_each(section, [&](const person &p) noexcept {
		if (seen.persons++ % batch == 0 && stopping.load_relaxed()) {
			seen = {};
			return false;
		}
		if (!Contest::takes_part(p.is)) {
			seen.skipped++;
		} else if (!seen.any || Contest::beats(p.is, seen.winner)) {
			seen.any = true;
			seen.winner = p.is;
		}
		return true;
	});
	return seen;
}

template <class Contest>
outcome person_list::scan_as(const kstd::atomic<uint32_t> &stopping) noexcept
{
	switch (readers_use.load_relaxed()) {
	case protection::rwlock: {
		const read_guard held(readers_lock_);

		return walk<Contest>(held, stopping);
	}
	case protection::spinlock: {
		const person_lock held(lock_);

		return walk<Contest>(held, stopping);
	}
	default: {
		const rcu_read_guard section;

		return walk<Contest>(section, stopping);
	}
	}
}

outcome person_list::scan(contest what, const kstd::atomic<uint32_t> &stopping) noexcept
{
	switch (what) {
	case contest::money_per_age:
		return scan_as<money_per_age>(stopping);
	case contest::money_per_iq:
		return scan_as<money_per_iq>(stopping);
	default:
		return scan_as<iq_minus_age>(stopping);
	}
}

// Writers

// The old one of `num` is out of the list and of the index, and readers may be on it.
retired<person> person_list::replace(const person_lock &held, slot &where, person *fresh) noexcept
{
	person *old = where.read(held);
	retired<person> gone = list_.replace(held, old, fresh);

	where.exchange(held, fresh).joins(gone);
	old->retired_at_ns = shim_now_ns();
	return gone;
}

result<void> person_list::update(const may_sleep &sleep) noexcept
{
	const uint64_t began = shim_now_ns();
	// Before the lock is taken: it may sleep.
	person *fresh = make_person(sleep, 0);

	if (!fresh)
		return errc::no_memory;
	retired<person> old = replace_random(fresh);

	count.replacing.add(shim_now_ns() - began);
	reclaim(sleep, kstd::move(old));
	waiting.bound(sleep);
	return {};
}

retired<person> person_list::replace_random(person *fresh) noexcept
{
	const uint32_t random = shim_random();
	const person_lock held(lock_);
	table *t = table_.read(held);

	fresh->is.num = static_cast<uint32_t>(random % t->size);
	if (readers_use.load_relaxed() != protection::rwlock)
		return replace(held, t->of(fresh->is.num), fresh);

	const write_guard readers_out(readers_lock_);

	return replace(held, t->of(fresh->is.num), fresh);
}

void person::no_reader_left(person *p) noexcept
{
	the_persons.count.until_freed[static_cast<unsigned int>(reclaim_way::call)].add(
		shim_now_ns() - p->retired_at_ns);
	the_persons.free_person(p);
	the_persons.waiting.called_back();
}

void person_list::reclaim(const may_sleep &sleep, retired<person> old) noexcept
{
	const reclaim_way how = way.load_relaxed();

	count.updates[static_cast<unsigned int>(how)].add_relaxed(1);
	switch (how) {
	case reclaim_way::synchronize: {
		person *p = old.reclaim(sleep);

		count.until_freed[0].add(shim_now_ns() - p->retired_at_ns);
		return free_person(p);
	}
	case reclaim_way::call:
		waiting.calls();
		return old.call_later();
	case reclaim_way::kfree:
		old.free_later();
		count.freed.add_relaxed(1);
		return waiting.hands_over();
	}
}

} // namespace rcu_demo
