// SPDX-License-Identifier: GPL-2.0-only
#include "demos/pid_table.hpp"

#include "shim/clock.h"
#include "shim/object.h"
#include "shim/random.h"
#include "shim/sched.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using kstd::uint32_t;
using kstd::uint64_t;
using nmiprof::rcu_read;
using nmiprof::rcu_read_guard;
using nmiprof::read_guard;
using nmiprof::retired;
using nmiprof::write_guard;

constinit pid_table the_pids;

pid_lookups &pid_lookups::operator+=(const pid_lookups &more) noexcept
{
	hits += more.hits;
	misses += more.misses;
	lost_races += more.lost_races;
	seen_freed += more.seen_freed;
	wrong_pid += more.wrong_pid;
	return *this;
}

void pid_table::init() noexcept
{
	readers_lock_.init();
	for (bucket &b : buckets_)
		b.lock.init();
}

// Neighbouring pids come into different buckets (Knuth 6.4, as hash_32()).
pid_table::bucket &pid_table::bucket_of(uint32_t pid) noexcept
{
	const uint32_t hash = pid * 0x61c88647u;

	return buckets_[(uint64_t{hash} * buckets) >> 32];
}

// Entries

pid_entry *pid_table::make_entry(const may_sleep &, uint32_t pid) noexcept
{
	void *place = shim_object_alloc(sizeof(pid_entry));

	if (!place)
		return nullptr;
	pid_entry *e = new (kstd::here{place}) pid_entry;

	e->pid = pid;
	e->state.store_relaxed(pid_entry::alive);
	count.allocated.add_relaxed(1);
	return e;
}

void pid_table::free_entry(pid_entry *e) noexcept
{
	e->state.store_relaxed(0);
	count.freed.add_relaxed(1);
	shim_object_free(e);
}

void pid_table::put_reference(pid_entry *e, kstd::atomic<uint64_t> &if_last) noexcept
{
	if (!e->put())
		return;
	if_last.add_relaxed(1);
	if (e->unreachable)
		return free_entry(e);
	// Nobody uses it any more, but readers may be looking at it.
	count.freed.add_relaxed(1);
	e->retire().free_later();
	waiting.hands_over();
}

void pid_entry::no_reader_left(pid_entry *e) noexcept
{
	e->unreachable = true;
	the_pids.put_reference(e, the_pids.count.put_last_by_callback);
	the_pids.waiting.called_back();
}

// Readers

pid_entry *pid_table::find(const rcu_read &section, uint32_t pid) noexcept
{
	return bucket_of(pid).entries.find(
		section, [pid](const pid_entry &e) noexcept { return e.pid == pid; });
}

pid_entry *pid_table::find_and_get(const rcu_read &section, uint32_t pid,
				   pid_lookups &seen) noexcept
{
	pid_entry *e = find(section, pid);

	if (!e) {
		seen.misses++;
		return nullptr;
	}
	if (!e->get_unless_zero(section)) {
		seen.lost_races++;
		return nullptr;
	}
	seen.hits++;
	return e;
}

pid_entry *pid_table::get(uint32_t pid, pid_lookups &seen) noexcept
{
	switch (way.load_relaxed()) {
	case pid_way::rwlock: {
		const read_guard held(readers_lock_);

		return find_and_get(held, pid, seen);
	}
	case pid_way::spinlock: {
		const bucket_lock held(bucket_of(pid).lock);

		return find_and_get(held, pid, seen);
	}
	default: {
		const rcu_read_guard section;

		return find_and_get(section, pid, seen);
	}
	}
}

// Nothing but the reference keeps the entry: it may sleep.
void pid_table::use(const may_sleep &, const pid_entry &e, uint32_t pid,
		    const kstd::atomic<uint32_t> &stopping, pid_lookups &seen) const noexcept
{
	const uint64_t us = use_us.load_relaxed(), from_ns = us ? shim_now_ns() : 0;
	bool freed = false, wrong = false;

	for (;;) {
		freed = freed || e.state.load_relaxed() != pid_entry::alive;
		wrong = wrong || e.pid != pid;
		if (!us || stopping.load_relaxed() || shim_now_ns() - from_ns >= us * 1000)
			break;
		shim_cond_resched();
	}
	seen.seen_freed += freed;
	seen.wrong_pid += wrong && !freed;
}

pid_lookups pid_table::look_up(const may_sleep &sleep, uint32_t pid,
			       const kstd::atomic<uint32_t> &stopping) noexcept
{
	pid_lookups seen = {};

	if (pid_entry *e = get(pid, seen)) {
		use(sleep, *e, pid, stopping, seen);
		put_reference(e, count.put_last_by_reader);
	}
	return seen;
}

pid_lookups pid_table::look_up_some(const may_sleep &sleep,
				    const kstd::atomic<uint32_t> &stopping) noexcept
{
	uint32_t random = shim_random();
	pid_lookups seen = {};

	for (uint32_t i = 0; i < batch.load_relaxed() && !stopping.load_relaxed(); i++) {
		const uint64_t of = pids.load_relaxed();

		// Cheaper than what it measures; its high bits are good (Knuth 3.3.4).
		random = random * 1664525 + 1013904223;
		seen += look_up(sleep, static_cast<uint32_t>((random * of) >> 32), stopping);
		if (i % 1024 == 1023)
			shim_cond_resched();
	}
	count.hits.add_relaxed(seen.hits);
	count.misses.add_relaxed(seen.misses);
	count.lost_races.add_relaxed(seen.lost_races);
	count.seen_freed.add_relaxed(seen.seen_freed);
	count.wrong_pid.add_relaxed(seen.wrong_pid);
	return seen;
}

// Writers

// change(lock), with readers that take a lock kept out.
template <class Change> auto pid_table::locked(bucket &b, Change &&change) noexcept
{
	const bucket_lock held(b.lock);

	if (way.load_relaxed() != pid_way::rwlock)
		return change(held);

	const write_guard readers_out(readers_lock_);

	return change(held);
}

// false: the pid is there already.
bool pid_table::add(pid_entry *fresh) noexcept
{
	bucket &b = bucket_of(fresh->pid);

	return locked(b, [&](const bucket_lock &held) noexcept {
		if (find(held, fresh->pid))
			return false;
		b.entries.push_front(held, fresh);
		return true;
	});
}

result<void> pid_table::insert(const may_sleep &sleep, uint32_t pid) noexcept
{
	// Before the lock is taken: it may sleep.
	pid_entry *fresh = make_entry(sleep, pid);

	if (!fresh)
		return errc::no_memory;
	if (!add(fresh)) {
		free_entry(fresh);
		return errc::exists;
	}
	count.inserts.add_relaxed(1);
	return {};
}

// Null: there is none.
retired<pid_entry> pid_table::unlink(uint32_t pid) noexcept
{
	bucket &b = bucket_of(pid);

	return locked(b, [&](const bucket_lock &held) noexcept {
		pid_entry *e = find(held, pid);

		return e ? b.entries.remove(held, e) : retired<pid_entry>();
	});
}

// The table's reference to what is not in it any more.
void pid_table::drop(retired<pid_entry> removed) noexcept
{
	if (put.load_relaxed() == pid_put::at_once)
		return put_reference(pid_entry::keep(kstd::move(removed)),
				     count.put_last_by_writer);
	waiting.calls();
	removed.call_later();
}

result<void> pid_table::remove(const may_sleep &, uint32_t pid) noexcept
{
	retired<pid_entry> removed = unlink(pid);

	if (!removed)
		return errc::no_entry;
	count.removes.add_relaxed(1);
	drop(kstd::move(removed));
	return {};
}

pid_table::change pid_table::insert_or_remove(const may_sleep &sleep) noexcept
{
	const uint32_t pid = shim_random() % pids.load_relaxed();
	const bool inserts = shim_random() % 2;
	const errc error = (inserts ? insert(sleep, pid) : remove(sleep, pid)).error();

	waiting.bound(sleep);
	return {inserts, error};
}

// All

result<void> pid_table::fill(const may_sleep &sleep) noexcept
{
	const uint32_t n = pids.load_relaxed();

	for (uint32_t pid = 0; pid < n; pid += 2) {
		const result<void> done = insert(sleep, pid);

		if (done.error() == errc::no_memory)
			return done;
		if (pid % 1024 == 0)
			shim_cond_resched();
	}
	return {};
}

void pid_table::clear(const may_sleep &sleep) noexcept
{
	for (uint32_t pid = 0; pid < max_pids; pid++) {
		static_cast<void>(remove(sleep, pid));
		if (pid % 1024 == 0)
			shim_cond_resched();
	}
	waiting.settle(sleep);
}

} // namespace rcu_demo
