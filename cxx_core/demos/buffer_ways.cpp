// SPDX-License-Identifier: GPL-2.0-only
#include "demos/buffer_ways.hpp"

#include "shim/clock.h"
#include "shim/cpu.h"
#include "shim/memory.h"
#include "shim/object.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using nmiprof::preempt_guard;

constinit buffer_ways the_buffer_ways;

namespace {

// Tries to see a CPU between two NMIs: at first at once, then a second's worth of naps.
constexpr unsigned int quick_tries = 64, slow_tries = 10'000, nap_us = 100;

constexpr unsigned int index(buffer_way way) noexcept
{
	return static_cast<unsigned int>(way);
}

} // namespace

void buffer_ledger::add(const buffer_ledger &other) noexcept
{
	samples += other.samples;
	drained += other.drained;
	live += other.live;
	no_buffer += other.no_buffer;
	lock_held += other.lock_held;
	raced += other.raced;
	for (unsigned int i = 0; i < buffer_ways_count; i++)
		seen_freed[i] += other.seen_freed[i];
}

void nmi_trylock::lock(const nmiprof::preempt_off &) noexcept
{
	state_.fetch_add(writer);
	while (state_.load_acquire() != writer)
		shim_cpu_relax();
}

void buffer_ways::init() noexcept
{
	mutex_.init();
}

// The NMI side: no lock that waits, no allocation, nothing printed

void buffer_ways::sample(const nmi_context &nmi, unsigned int cpu) noexcept
{
	cpu_state &own = cpus_[cpu];
	const buffer_way how = way_.load_acquire();

	own.inside.write_begin();
	own.samples.inc();
	switch (how) {
	case buffer_way::racy:
		count(own, cpu, racy_.load_relaxed(), how);
		break;
	case buffer_way::lock:
		if (!lock_.try_enter(nmi)) {
			own.lock_held.inc();
			break;
		}
		count(own, cpu, locked_, how);
		lock_.leave(nmi);
		break;
	case buffer_way::rcu:
		count(own, cpu, rcu_.read(nmi), how);
	}
	own.inside.write_end();
}

void buffer_ways::count(cpu_state &own, unsigned int cpu, sample_buffer *b, buffer_way how) noexcept
{
	if (!b)
		return own.no_buffer.inc();

	const uint64_t generation = b->generation.load_relaxed();

	linger();
	b->of(cpu).inc();
	if (!generation || b->generation.load_relaxed() != generation)
		own.seen_freed[index(how)].inc();
}

void buffer_ways::linger() const noexcept
{
	const uint64_t ns = nmi_hold_ns.load_relaxed();

	if (!ns)
		return;
	for (const uint64_t until = shim_now_ns() + ns; shim_now_ns() < until;)
		shim_cpu_relax();
}

// Writers

sample_buffer *buffer_ways::make(const may_sleep &) noexcept
{
	void *place = shim_object_alloc(sample_buffer::bytes(shim_nr_cpu_ids()));

	if (!place)
		return nullptr;
	objects.allocated.add_relaxed(1);

	auto *b = new (kstd::here{place}) sample_buffer;

	b->generation.store_relaxed(++last_generation_);
	return b;
}

void buffer_ways::drain_and_free(const writer_lock &, sample_buffer *old) noexcept
{
	if (!old)
		return;
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		cpus_[cpu].drained += old->of(cpu).get();
	old->generation.store_relaxed(0);
	shim_object_free(old);
	objects.freed.add_relaxed(1);
}

// `fresh`, which may be null, takes the place of the buffer behind this way's pointer. What
// comes back is, by the way's own rules, nobody else's any more.
sample_buffer *buffer_ways::exchange(const writer_lock &held, const may_sleep &sleep,
				     buffer_way how, sample_buffer *fresh) noexcept
{
	switch (how) {
	case buffer_way::racy:
		// The mistake: an NMI that read the pointer before still has it.
		return racy_.exchange(fresh);
	case buffer_way::lock: {
		const preempt_guard preempt;

		lock_.lock(preempt);
		sample_buffer *old = kstd::exchange<sample_buffer *>(locked_, fresh);

		lock_.unlock(preempt);
		return old;
	}
	default:
		return rcu_.exchange(held, fresh).reclaim(sleep);
	}
}

sample_buffer *buffer_ways::timed_exchange(const writer_lock &held, const may_sleep &sleep,
					   buffer_way how, sample_buffer *fresh) noexcept
{
	const uint64_t began = shim_now_ns();

	live_ = fresh;

	sample_buffer *old = exchange(held, sleep, how, fresh);

	swaps[index(how)].add(shim_now_ns() - began);
	return old;
}

result<void> buffer_ways::swap(const may_sleep &sleep) noexcept
{
	const writer_lock held(sleep, mutex_);
	const buffer_way how = way();

	// Null and free: NMIs find no buffer until there is another one.
	if (how == buffer_way::racy)
		drain_and_free(held, timed_exchange(held, sleep, how, nullptr));

	sample_buffer *fresh = make(sleep);

	if (!fresh)
		return errc::no_memory;
	if (how == buffer_way::racy) {
		live_ = fresh;
		exchange(held, sleep, how, fresh);
	} else {
		drain_and_free(held, timed_exchange(held, sleep, how, fresh));
	}
	return {};
}

// The numbers are those at the head of buffer_ways.hpp.
result<void> buffer_ways::set_way(const may_sleep &sleep, buffer_way to) noexcept
{
	const writer_lock held(sleep, mutex_);
	const buffer_way from = way();

	if (!cpus_ || to == from) {
		way_.store_relaxed(to);
		return {};
	}
	sample_buffer *fresh = make(sleep);

	if (!fresh)
		return errc::no_memory;
	exchange(held, sleep, to, fresh); // 1
	way_.store_release(to); // 2
	shim_synchronize_rcu(); // 3
	live_ = fresh;
	drain_and_free(held, exchange(held, sleep, from, nullptr)); // 4
	if (from == buffer_way::racy)
		note_raced(held, sleep);
	return {};
}

result<void> buffer_ways::start(const may_sleep &sleep) noexcept
{
	const writer_lock held(sleep, mutex_);
	void *place = shim_alloc(shim_nr_cpu_ids() * sizeof(cpu_state), 0);
	sample_buffer *first = place ? make(sleep) : nullptr;

	if (!first) {
		shim_free(place);
		return errc::no_memory;
	}
	cpus_ = static_cast<cpu_state *>(place);
	live_ = first;
	exchange(held, sleep, way(), first);
	return {};
}

void buffer_ways::stop(const may_sleep &sleep) noexcept
{
	const writer_lock held(sleep, mutex_);

	live_ = nullptr;
	drain_and_free(held, exchange(held, sleep, way(), nullptr));
	if (way() == buffer_way::racy)
		note_raced(held, sleep);
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++) {
		buffer_ledger l = {};

		copy(held, cpu, l);
		before_.add(l);
	}
	shim_free(kstd::exchange<cpu_state *>(cpus_, nullptr));
}

// The ledger

// False: the CPU was in an NMI.
bool buffer_ways::copy(const writer_lock &, unsigned int cpu, buffer_ledger &l) const noexcept
{
	const cpu_state &own = cpus_[cpu];
	const uint64_t seen = own.inside.read_begin();

	l.samples = own.samples.get();
	l.drained = own.drained;
	l.live = live_ ? live_->of(cpu).get() : 0;
	l.no_buffer = own.no_buffer.get();
	l.lock_held = own.lock_held.get();
	l.raced = own.raced;
	for (unsigned int i = 0; i < buffer_ways_count; i++)
		l.seen_freed[i] = own.seen_freed[i].get();
	return !own.inside.changed_since(seen);
}

result<void> buffer_ways::copy_patiently(const writer_lock &held, const may_sleep &,
					 unsigned int cpu, buffer_ledger &l) const noexcept
{
	for (unsigned int i = 0; i < quick_tries + slow_tries; i++) {
		if (copy(held, cpu, l))
			return {};
		if (i >= quick_tries)
			shim_sleep_us(nap_us);
	}
	return errc::again;
}

// No NMI goes the racy way any more: what is missing was counted into freed memory.
void buffer_ways::note_raced(const writer_lock &held, const may_sleep &sleep) noexcept
{
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++) {
		buffer_ledger l = {};

		while (!copy_patiently(held, sleep, cpu, l))
			;
		cpus_[cpu].raced += l.unaccounted();
	}
}

result<void> buffer_ways::read(const may_sleep &sleep, buffer_ledger &sum) noexcept
{
	const writer_lock held(sleep, mutex_);

	sum = before_;
	for (unsigned int cpu = 0; cpus_ && cpu < shim_nr_cpu_ids(); cpu++) {
		buffer_ledger l = {};

		if (const result<void> copied = copy_patiently(held, sleep, cpu, l); !copied)
			return copied;
		sum.add(l);
	}
	return {};
}

result<void> buffer_ways::read_cpu(const may_sleep &sleep, unsigned int cpu,
				   buffer_ledger &l) noexcept
{
	const writer_lock held(sleep, mutex_);

	if (!cpus_ || cpu >= shim_nr_cpu_ids())
		return errc::no_entry;
	return copy_patiently(held, sleep, cpu, l);
}

} // namespace rcu_demo
