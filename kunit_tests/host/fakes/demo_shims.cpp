// SPDX-License-Identifier: GPL-2.0-only
// Shims that only the demonstrations use, on the simulated machine.
#include <gtest/gtest.h>

#include "machine.hpp"

#include "shim/delay.h"

using sim::machine;

extern "C" {

void shim_spin_init(shim_spinlock *) noexcept
{
}

void shim_rwlock_init(shim_rwlock *) noexcept
{
}

void shim_spin_lock(shim_spinlock *lock) noexcept
{
	machine::the().spin_locks++;
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

void *shim_object_alloc(shim_size bytes) noexcept
{
	return machine::the().alloc(bytes);
}

void shim_object_free(void *object) noexcept
{
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

shim_u64 shim_rcu_poll_start(void) noexcept
{
	return machine::the().grace_periods + 1;
}

int shim_rcu_poll(shim_u64 grace_period) noexcept
{
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
