// SPDX-License-Identifier: GPL-2.0-only
#include "demos/grace_periods.hpp"

#include "shim/clock.h"
#include "shim/cpu.h"
#include "shim/object.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using nmiprof::rcu_read_guard;
using nmiprof::retired;

constinit grace_periods the_grace_periods;

namespace {

// Between two questions of a waiter that polls.
constexpr unsigned int poll_pause_us = 1000;

void raise(kstd::local_counter<uint64_t> &longest, uint64_t seen) noexcept
{
	if (seen > longest.get())
		longest.set(seen);
}

} // namespace

void grace_periods::init() noexcept
{
	lock_.init();
}

result<void> grace_periods::start(const may_sleep &sleep) noexcept
{
	version *first = make(sleep), *none = nullptr;

	if (!first)
		return errc::no_memory;
	for (reader_slot &slot : readers_) {
		slot.looks.set(0);
		slot.versions_sum.set(0);
		slot.versions_longest.set(0);
		slot.ns_sum.set(0);
		slot.ns_longest.set(0);
		slot.seen_freed.set(0);
	}
	for (durations &of_way : waits)
		of_way.reset();
	returned_early.store_relaxed(0);
	static_cast<void>(publish(first, none).reclaim(sleep));
	return {};
}

void grace_periods::stop(const may_sleep &sleep) noexcept
{
	version *last = nullptr;

	free_version(publish(nullptr, last).reclaim(sleep));
}

// Readers

void grace_periods::look(unsigned int reader, uint64_t hold_us,
			 const kstd::atomic<uint32_t> &stopping) noexcept
{
	reader_slot &own = readers_[reader];
	const uint64_t until = shim_now_ns() + hold_us * 1000;
	const rcu_read_guard section;
	const version *mine = newest_.read(section);
	const uint64_t number = mine->number.load_relaxed();

	own.holds.store_relaxed(number);
	// Busy: in a section nothing may sleep, and where kernels are not preemptible nobody
	// else can run here meanwhile.
	while (shim_now_ns() < until && !stopping.load_relaxed())
		shim_cpu_relax();
	if (!number || mine->number.load_relaxed() != number)
		own.seen_freed.inc();
	else
		note(own, *mine, *newest_.read(section));
	own.holds.store_release(0);
}

void grace_periods::note(reader_slot &own, const version &mine, const version &newest) noexcept
{
	const uint64_t versions = newest.number.load_relaxed() - mine.number.load_relaxed();
	const uint64_t ns = newest.published_ns - mine.published_ns;

	own.looks.inc();
	own.versions_sum.add(versions);
	own.ns_sum.add(ns);
	raise(own.versions_longest, versions);
	raise(own.ns_longest, ns);
}

staleness grace_periods::seen_by(unsigned int reader) const noexcept
{
	const reader_slot &slot = readers_[reader];

	return {slot.looks.get(), slot.versions_sum.get(), slot.versions_longest.get(),
		slot.ns_sum.get(), slot.ns_longest.get()};
}

staleness grace_periods::seen_by_all() const noexcept
{
	staleness all = {};

	for (unsigned int i = 0; i < max_readers; i++) {
		const staleness one = seen_by(i);

		all.looks += one.looks;
		all.versions_sum += one.versions_sum;
		all.ns_sum += one.ns_sum;
		all.versions_longest = kstd::max(all.versions_longest, one.versions_longest);
		all.ns_longest = kstd::max(all.ns_longest, one.ns_longest);
	}
	return all;
}

uint64_t grace_periods::seen_freed() const noexcept
{
	uint64_t sum = 0;

	for (const reader_slot &slot : readers_)
		sum += slot.seen_freed.get();
	return sum;
}

// Waiters

version *grace_periods::make(const may_sleep &) noexcept
{
	void *place = shim_object_alloc(sizeof(version));

	if (!place)
		return nullptr;
	objects.allocated.add_relaxed(1);

	auto *v = new (kstd::here{place}) version;

	shim_completion_init(&v->called_back);
	return v;
}

void grace_periods::free_version(version *v) noexcept
{
	v->number.store_relaxed(0);
	shim_object_free(v);
	objects.freed.add_relaxed(1);
}

// `old`: a look at what is retired, for who waits for its callback. `fresh` may be null.
retired<version> grace_periods::publish(version *fresh, version *&old) noexcept
{
	const version_lock held(lock_);

	old = newest_.read(held);
	if (fresh) {
		fresh->number.store_relaxed(++last_number_);
		// CPUs' clocks may differ by a little: never before the one that it replaces.
		fresh->published_ns = kstd::max(shim_now_ns(), old ? old->published_ns : 0);
	}
	return newest_.exchange(held, fresh);
}

void version::no_reader_left(version *v) noexcept
{
	shim_complete(&v->called_back);
}

// Returns `old`, which is the caller's alone then.
version *grace_periods::wait(const may_sleep &sleep, retired<version> gone, version *old) noexcept
{
	const wait_way how = way.load_relaxed();
	const uint64_t began = shim_now_ns();

	switch (how) {
	case wait_way::synchronize:
		old = gone.reclaim(sleep);
		break;
	case wait_way::expedited:
		old = gone.reclaim_expedited(sleep);
		break;
	case wait_way::call:
		gone.call_later();
		shim_completion_wait(&old->called_back);
		break;
	case wait_way::polled:
		old = gone.reclaim_polled(sleep, poll_pause_us);
	}
	waits[static_cast<unsigned int>(how)].add(shim_now_ns() - began);
	return old;
}

// A version older than `number` was retired before it was.
void grace_periods::check_readers(uint64_t number) noexcept
{
	for (const reader_slot &slot : readers_) {
		const uint64_t holds = slot.holds.load_acquire();

		if (holds && holds <= number)
			returned_early.add_relaxed(1);
	}
}

result<void> grace_periods::renew(const may_sleep &sleep) noexcept
{
	// Before the lock is taken: it may sleep.
	version *fresh = make(sleep), *old = nullptr;

	if (!fresh)
		return errc::no_memory;

	retired<version> gone = publish(fresh, old);

	old = wait(sleep, kstd::move(gone), old);
	check_readers(old->number.load_relaxed());
	free_version(old);
	return {};
}

} // namespace rcu_demo
