// SPDX-License-Identifier: GPL-2.0-only
// Shims that only the demonstrations use, on the simulated machine.
#include "demo_shims.hpp"

#include <gtest/gtest.h>

#include "shim/completion.h"
#include "shim/mutex.h"

#include "shim/delay.h"

using sim::machine;

namespace {

bool keeping;
std::vector<void *> kept;

} // namespace

sim::keep_freed::keep_freed()
{
	keeping = true;
}

sim::keep_freed::~keep_freed()
{
	keeping = false;
	machine::the().synchronize();
	for (void *object : kept)
		machine::the().free(object);
	kept.clear();
}

extern "C" {

void shim_spin_init(shim_spinlock *) noexcept
{
	machine::the().locks_initialised++;
}

void shim_rwlock_init(shim_rwlock *) noexcept
{
}

void shim_spin_lock(shim_spinlock *lock) noexcept
{
	machine::the().spin_locks++;
	if (const auto once = std::exchange(machine::the().before_spin_lock, nullptr))
		once();
	machine::expect_outermost("shim_spin_lock()");
	machine::the().lock(lock, false);
}

void shim_spin_unlock(shim_spinlock *lock) noexcept
{
	machine::the().unlock(lock, false);
}

void shim_read_lock(shim_rwlock *lock) noexcept
{
	machine::the().read_locks++;
	machine::the().lock(lock, true);
}

void shim_read_unlock(shim_rwlock *lock) noexcept
{
	machine::the().unlock(lock, true);
}

void shim_write_lock(shim_rwlock *lock) noexcept
{
	machine::the().write_locks++;
	machine::the().lock(lock, false);
}

void shim_write_unlock(shim_rwlock *lock) noexcept
{
	machine::the().unlock(lock, false);
}

// Whether it is held, and whether it is complete, is in the first word.

void shim_mutex_init(shim_mutex *lock) noexcept
{
	lock->opaque[0] = 0;
}

void shim_mutex_lock(shim_mutex *lock) noexcept
{
	machine::expect_may_sleep("shim_mutex_lock()");
	EXPECT_EQ(lock->opaque[0], 0u) << "deadlock: the mutex is held already";
	lock->opaque[0] = 1;
}

void shim_mutex_unlock(shim_mutex *lock) noexcept
{
	EXPECT_EQ(lock->opaque[0], 1u) << "not held";
	lock->opaque[0] = 0;
}

void shim_completion_init(shim_completion *completion) noexcept
{
	completion->opaque[0] = 0;
}

void shim_complete(shim_completion *completion) noexcept
{
	completion->opaque[0]++;
}

void shim_completion_wait(shim_completion *completion) noexcept
{
	machine::expect_may_sleep("shim_completion_wait()");
	if (!completion->opaque[0])
		machine::the().synchronize();
	EXPECT_EQ(completion->opaque[0], 1u) << "waits for ever";
}

void *shim_object_alloc(shim_size bytes) noexcept
{
	return machine::the().alloc(bytes);
}

void shim_object_free(void *object) noexcept
{
	if (keeping)
		kept.push_back(object);
	else
		machine::the().free(object);
}

shim_u64 shim_memory_available(void) noexcept
{
	return machine::the().memory_available;
}

shim_u32 shim_random(void) noexcept
{
	machine &m = machine::the();

	if (m.next_random.empty())
		return static_cast<shim_u32>(m.random());
	const shim_u32 next = m.next_random.front();

	m.next_random.pop_front();
	return next;
}

void shim_delay_ns(shim_u32 ns) noexcept
{
	machine::the().now += ns;
}

void shim_cond_resched(void) noexcept
{
	machine::expect_may_sleep("shim_cond_resched()");
	if (machine::the().on_resched)
		machine::the().on_resched();
}

void shim_call_rcu(shim_rcu_head *head, void (*done)(shim_rcu_head *)) noexcept
{
	EXPECT_NE(done, nullptr);
	machine::the().deferred_objects.push_back({head, done});
}

void shim_kfree_rcu(shim_rcu_head *head) noexcept
{
	machine::the().deferred_objects.push_back({head, nullptr});
}

void shim_rcu_barrier(void) noexcept
{
	machine::expect_may_sleep("shim_rcu_barrier()");
	if (!machine::the().deferred_objects.empty())
		machine::the().synchronize();
}

void shim_synchronize_rcu_expedited(void) noexcept
{
	machine::the().expedited++;
	machine::the().synchronize();
}

struct shim_affinity *shim_affinity_keep(void) noexcept
{
	auto *kept = static_cast<unsigned int *>(machine::the().alloc(sizeof(unsigned int)));

	if (kept) {
		*kept = machine::the().task_on;
		machine::the().affinities_kept++;
	}
	return reinterpret_cast<shim_affinity *>(kept);
}

void shim_affinity_restore(struct shim_affinity *kept) noexcept
{
	machine::the().task_on = *reinterpret_cast<unsigned int *>(kept);
	machine::the().affinities_kept--;
	machine::the().free(kept);
}

int shim_run_on(unsigned int cpu) noexcept
{
	if (machine::the().no_visits.count(cpu))
		return -22; // EINVAL
	machine::the().run_task_on(cpu);
	return 0;
}

// What is freed last is given out first; memory stays until the cache is destroyed.
struct shim_cache {
	shim_size bytes;
	void (*construct)(void *);
	std::set<void *> all, live;
	std::vector<void *> free;
};

struct shim_cache *shim_cache_create(const char *, shim_size bytes,
				     void (*construct)(void *object)) noexcept
{
	machine::expect_may_sleep("shim_cache_create()");
	if (machine::the().fail_allocations)
		return nullptr;
	auto cache = std::make_unique<shim_cache>();

	cache->bytes = bytes;
	cache->construct = construct;
	return cache.release();
}

void shim_cache_destroy(struct shim_cache *cache) noexcept
{
	machine::expect_may_sleep("shim_cache_destroy()");
	EXPECT_TRUE(cache->live.empty()) << "a cache is destroyed that has objects";
	for (void *object : cache->all)
		machine::the().free(object);
	delete cache;
}

void *shim_cache_alloc(struct shim_cache *cache) noexcept
{
	void *object;

	machine::expect_may_sleep("shim_cache_alloc()");
	if (machine::the().fail_allocations)
		return nullptr;
	if (cache->free.empty()) {
		object = machine::the().alloc(cache->bytes);
		if (!object)
			return nullptr;
		cache->construct(object);
		cache->all.insert(object);
	} else {
		object = cache->free.back();
		cache->free.pop_back();
	}
	cache->live.insert(object);
	return object;
}

void shim_cache_free(struct shim_cache *cache, void *object) noexcept
{
	EXPECT_EQ(cache->live.erase(object), 1u) << "freed twice, or of another cache";
	EXPECT_EQ(machine::the().locked.count(object), 0u) << "freed while locked by its owner";
	cache->free.push_back(object);
}

shim_u64 shim_rcu_poll_start(void) noexcept
{
	return machine::the().grace_periods + 1;
}

int shim_rcu_poll(shim_u64 grace_period) noexcept
{
	if (sim::on_poll && machine::the().grace_periods < grace_period)
		sim::on_poll();
	return machine::the().grace_periods >= grace_period;
}

void shim_rcu_poll_wait(shim_u64 grace_period) noexcept
{
	machine::expect_may_sleep("shim_rcu_poll_wait()");
	if (shim_rcu_poll(grace_period))
		return;
	// Nothing but shim_rcu_barrier() waits for callbacks.
	std::deque<machine::deferred> late;

	late.swap(machine::the().deferred_objects);
	machine::the().synchronize();
	late.swap(machine::the().deferred_objects);
}

} // extern "C"
