// SPDX-License-Identifier: GPL-2.0-only
#include "demos/toy_rcu.hpp"

#include "shim/clock.h"
#include "shim/cpu.h"
#include "shim/object.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using nmiprof::rcu_sched_guard;
using nmiprof::retired;

constinit toy_rcu the_toy_rcu;

namespace {

// What an object's state is while it may be used, and after.
constexpr uint32_t in_use = 0x600d600d, poison = 0xdeaddead;

// None goes offline or comes online: what comes has no reader of the old object.
class cpus_guard {
      public:
	explicit cpus_guard(const may_sleep &) noexcept
	{
		shim_cpus_lock();
	}
	~cpus_guard()
	{
		shim_cpus_unlock();
	}
	cpus_guard(const cpus_guard &) = delete;
	cpus_guard &operator=(const cpus_guard &) = delete;
};

} // namespace

uint32_t toy_synchronize(const may_sleep &sleep, const affinity_guard &) noexcept
{
	const cpus_guard held(sleep);
	uint32_t visited = 0;

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++) {
		if (!shim_cpu_online(cpu))
			continue;
		if (!shim_run_on(cpu))
			visited++;
		else // for whatever reason: a reader may be there all the same
			shim_synchronize_rcu();
	}
	return visited;
}

void toy_rcu::init() noexcept
{
	lock_.init();
}

toy_rcu::object *toy_rcu::make_object(const may_sleep &) noexcept
{
	void *place = shim_object_alloc(sizeof(object));

	if (!place)
		return nullptr;
	auto *o = new (kstd::here{place}) object;

	o->state.store_relaxed(in_use);
	count.allocated.add_relaxed(1);
	return o;
}

// A reader that is still there is to notice.
void toy_rcu::free_object(object *o) noexcept
{
	o->state.store_relaxed(poison);
	shim_object_free(o);
	count.freed.add_relaxed(1);
}

retired<toy_rcu::object> toy_rcu::publish(object *fresh) noexcept
{
	const toy_lock held(lock_);

	return current_.exchange(held, fresh);
}

result<void> toy_rcu::begin(const may_sleep &sleep) noexcept
{
	object *first = make_object(sleep);

	if (!first)
		return errc::no_memory;
	current_.init(first);
	return {};
}

void toy_rcu::end(const may_sleep &sleep) noexcept
{
	free_object(publish(nullptr).reclaim(sleep));
}

void toy_rcu::read() noexcept
{
	const rcu_sched_guard section;
	const object *o = current_.read(section);
	const uint64_t until = shim_now_ns() + section_us.load_relaxed() * 1000;
	bool freed = false;

	do {
		shim_cpu_relax();
		freed = o->state.load_relaxed() != in_use;
	} while (!freed && shim_now_ns() < until);
	count.seen_freed.add_relaxed(freed);
	count.reads.add_relaxed(1);
}

result<void> toy_rcu::update(const may_sleep &sleep) noexcept
{
	const update_way how = way.load_relaxed();
	const auto i = static_cast<unsigned int>(how);
	// All that may fail is done before anything is replaced.
	const affinity_guard home(sleep);
	object *fresh = home ? make_object(sleep) : nullptr;

	if (!fresh)
		return errc::no_memory;
	retired<object> gone = publish(fresh);
	const uint64_t began = shim_now_ns();
	object *old = wait(sleep, how, kstd::move(gone), home);

	count.waits[i].add(shim_now_ns() - began);
	count.updates[i].add_relaxed(1);
	free_object(old);
	return {};
}

toy_rcu::object *toy_rcu::wait(const may_sleep &sleep, update_way how, retired<object> old,
			       const affinity_guard &home) noexcept
{
	switch (how) {
	case update_way::toy:
		return old.reclaim_by(sleep, [&]() noexcept {
			count.cpus.store_relaxed(toy_synchronize(sleep, home));
		});
	case update_way::synchronize:
		return old.reclaim(sleep);
	default:
		return old.reclaim_expedited(sleep);
	}
}

} // namespace rcu_demo
