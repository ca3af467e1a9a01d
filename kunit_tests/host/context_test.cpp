// SPDX-License-Identifier: GPL-2.0-only
// Guards and tokens (context.hpp). What does not compile: ../compile_fail/.
#include "core_test.hpp"

#include <type_traits>

using namespace nmiprof;

using context_test = core_test;

static_assert(sizeof(preempt_off) == 1 && sizeof(rcu_read) == 1, "tokens are empty");
static_assert(!std::is_default_constructible_v<nmi_context>);
static_assert(!std::is_default_constructible_v<irq_context>);
static_assert(!std::is_default_constructible_v<may_sleep>);
static_assert(!std::is_default_constructible_v<preempt_off>);
static_assert(!std::is_default_constructible_v<rcu_read>);
template <class T>
constexpr bool stays_put = !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T> &&
			   !std::is_copy_assignable_v<T> && !std::is_move_assignable_v<T>;
static_assert(stays_put<nmi_context> && stays_put<irq_context> && stays_put<may_sleep>);
static_assert(stays_put<preempt_off> && stays_put<rcu_read> && stays_put<update_lock>);
static_assert(stays_put<rcu_read_guard> && stays_put<preempt_guard>);

template <class From, class To>
constexpr bool implies = std::is_convertible_v<const From &, const To &>;
static_assert(implies<nmi_context, preempt_off> && implies<nmi_context, rcu_read>);
static_assert(implies<irq_context, preempt_off> && implies<irq_context, rcu_read>);
static_assert(implies<rcu_read_guard, rcu_read> && implies<preempt_guard, preempt_off>);
static_assert(!implies<may_sleep, preempt_off> && !implies<may_sleep, rcu_read>);
static_assert(!implies<may_sleep, nmi_context> && !implies<may_sleep, irq_context>);
static_assert(!implies<nmi_context, may_sleep> && !implies<irq_context, may_sleep>);
static_assert(!implies<nmi_context, irq_context> && !implies<irq_context, nmi_context>);
static_assert(!implies<preempt_guard, rcu_read> && !implies<rcu_read_guard, preempt_off>);
static_assert(!implies<update_lock, may_sleep> && !implies<may_sleep, update_lock>);
static_assert(!implies<preempt_off, nmi_context> && !implies<rcu_read, nmi_context>);
static_assert(!std::is_constructible_v<update_lock, const nmi_context &>);
static_assert(!std::is_constructible_v<update_lock, const preempt_off &>);

// Whether sleeping is allowed here, without making it a failure.
static bool sleeping_is_refused()
{
	::testing::TestPartResultArray results;
	{
		::testing::ScopedFakeTestPartResultReporter quiet(
			::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
			&results);

		sim::machine::expect_may_sleep("a test");
	}
	return results.size() != 0;
}

TEST_F(context_test, preempt_guard_forbids_sleep_while_it_lives_and_nests)
{
	EXPECT_FALSE(sleeping_is_refused());
	{
		preempt_guard outer;
		{
			preempt_guard inner;
			EXPECT_TRUE(sleeping_is_refused());
		}
		EXPECT_TRUE(sleeping_is_refused());
	}
	EXPECT_FALSE(sleeping_is_refused());
}

TEST_F(context_test, rcu_read_guard_forbids_sleep_while_it_lives_and_nests)
{
	{
		rcu_read_guard outer;
		{
			rcu_read_guard inner;
			EXPECT_TRUE(sleeping_is_refused());
		}
		EXPECT_TRUE(sleeping_is_refused());
	}
	EXPECT_FALSE(sleeping_is_refused());
}

TEST_F(context_test, guards_can_be_released_out_of_order)
{
	auto preempt = std::make_unique<preempt_guard>();
	auto rcu = std::make_unique<rcu_read_guard>();

	preempt.reset();
	EXPECT_TRUE(sleeping_is_refused());
	rcu.reset();
	EXPECT_FALSE(sleeping_is_refused());
}

TEST_F(context_test, update_lock_is_held_as_long_as_it_lives)
{
	{
		updating u;
		EXPECT_TRUE(m().update_locked);
		EXPECT_FALSE(sleeping_is_refused()) << "its holder may sleep";
	}
	EXPECT_FALSE(m().update_locked);
}

// The machine's own checks: without them the tests above prove nothing.
TEST_F(context_test, the_machine_notices_wrong_contexts)
{
	EXPECT_NONFATAL_FAILURE({ entry::nmi(); }, "wrong context");
	EXPECT_NONFATAL_FAILURE({ entry::irq(); }, "wrong context");
	EXPECT_NONFATAL_FAILURE(
		{
			sim::in_context nmi(sim::context::nmi);
			entry::process();
		},
		"wrong context");
	EXPECT_NONFATAL_FAILURE(
		{
			sim::in_context irq(sim::context::irq);
			shim_synchronize_rcu();
		},
		"wrong context");
	EXPECT_NONFATAL_FAILURE({ shim_nmi_send(0); }, "interrupts on");
	m().run(1 * us);
	m().cpus[0].unknown_ours = 0;
}

TEST_F(context_test, the_machine_notices_a_nested_update_lock)
{
	shim_update_lock();
	EXPECT_NONFATAL_FAILURE({ shim_update_lock(); }, "does not nest");
	shim_update_unlock();
	EXPECT_NONFATAL_FAILURE({ shim_update_unlock(); }, "update_locked");
	shim_update_lock();
	EXPECT_NONFATAL_FAILURE({ shim_cpus_lock(); }, "before the update lock");
	shim_cpus_unlock();
	shim_update_unlock();
}

TEST_F(context_test, every_entry_of_the_api_releases_the_lock)
{
	const u64 locked = m().update_locks;

	enable();
	disable();
	EXPECT_FALSE(m().update_locked);
	EXPECT_EQ(m().update_locks, locked + 2);
}
