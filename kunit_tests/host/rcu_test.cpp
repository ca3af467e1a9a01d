// SPDX-License-Identifier: GPL-2.0-only
// rcu_ptr and retired (rcu.hpp).
#include "core_test.hpp"

using namespace nmiprof;

using rcu_test = core_test;

struct object {
	int value;
};

TEST_F(rcu_test, starts_with_its_initial_value)
{
	object o = {1};
	rcu_ptr<object> full(&o), empty;
	rcu_read_guard guard;

	EXPECT_EQ(full.read(guard), &o);
	EXPECT_EQ(empty.read(guard), nullptr);
}

TEST_F(rcu_test, every_kind_of_reader_sees_what_was_published)
{
	object o = {1};
	rcu_ptr<object> p;
	updating u;

	p.publish(u.lock, &o);
	EXPECT_EQ(p.read(u.lock), &o);
	{
		rcu_read_guard guard;
		EXPECT_EQ(p.read(guard), &o);
	}
	{
		in_nmi nmi;
		EXPECT_EQ(p.read(nmi.token), &o);
	}
	{
		in_irq irq;
		EXPECT_EQ(p.read(irq.token), &o);
	}
	EXPECT_EQ(m().grace_periods, 0u) << "publishing does not wait";
}

TEST_F(rcu_test, exchange_publishes_at_once_and_reclaim_waits)
{
	object old = {1}, fresh = {2};
	rcu_ptr<object> p(&old);
	updating u;
	retired<object> gone = p.exchange(u.lock, &fresh);

	EXPECT_EQ(p.read(u.lock), &fresh);
	EXPECT_EQ(m().grace_periods, 0u);
	EXPECT_EQ(gone.reclaim(u.sleep), &old);
	EXPECT_EQ(m().grace_periods, 1u);
}

TEST_F(rcu_test, a_reader_in_the_grace_period_sees_the_new_object)
{
	object old = {1}, fresh = {2};
	rcu_ptr<object> p(&old);
	updating u;
	const object *seen = nullptr;

	m().in_grace_period = [&] {
		in_nmi nmi;
		seen = p.read(nmi.token);
	};
	EXPECT_EQ(p.exchange(u.lock, &fresh).reclaim(u.sleep), &old);
	EXPECT_EQ(seen, &fresh);
}

TEST_F(rcu_test, null_is_reclaimed_without_waiting)
{
	object fresh = {2};
	rcu_ptr<object> p;
	updating u;

	EXPECT_EQ(p.exchange(u.lock, &fresh).reclaim(u.sleep), nullptr);
	EXPECT_EQ(m().grace_periods, 0u);
	retired<object> none;
	EXPECT_EQ(none.reclaim(u.sleep), nullptr);
	EXPECT_EQ(m().grace_periods, 0u);
}

TEST_F(rcu_test, reclaim_hands_the_object_out_once)
{
	object old = {1};
	rcu_ptr<object> p(&old);
	updating u;
	retired<object> gone = p.exchange(u.lock, nullptr);

	EXPECT_EQ(gone.reclaim(u.sleep), &old);
	EXPECT_EQ(gone.reclaim(u.sleep), nullptr);
}

TEST_F(rcu_test, a_retired_object_that_is_dropped_warns_and_leaks)
{
	object old = {1};
	rcu_ptr<object> p(&old);
	{
		updating u;
		const retired<object> gone = p.exchange(u.lock, nullptr);

		EXPECT_TRUE(m().leaked.empty());
	}
	EXPECT_EQ(m().leaked.size(), 1u);
	EXPECT_EQ(m().grace_periods, 0u) << "a destructor never waits";
	m().leaked.clear();
}

TEST_F(rcu_test, a_moved_from_retired_holds_nothing)
{
	object old = {1};
	rcu_ptr<object> p(&old);
	updating u;
	{
		retired<object> first = p.exchange(u.lock, nullptr);
		retired<object> second(kstd::move(first));

		EXPECT_EQ(first.reclaim(u.sleep), nullptr);
		EXPECT_EQ(second.reclaim(u.sleep), &old);
	}
	EXPECT_TRUE(m().leaked.empty());
}

TEST_F(rcu_test, a_part_that_joins_the_whole_needs_no_grace_period_of_its_own)
{
	object whole = {1}, part = {2};
	rcu_ptr<object> p(&whole), q(&part);
	updating u;
	{
		retired<object> gone = p.exchange(u.lock, nullptr);

		q.exchange(u.lock, nullptr).joins(gone);
		EXPECT_EQ(gone.reclaim(u.sleep), &whole);
	}
	EXPECT_EQ(m().grace_periods, 1u);
	EXPECT_TRUE(m().leaked.empty());
}

// The machine's own checks.
TEST_F(rcu_test, the_machine_notices_what_is_freed_too_early)
{
	void *memory = shim_alloc(16, 0);
	void *published = nullptr;

	shim_rcu_assign_pointer(&published, memory);
	EXPECT_NONFATAL_FAILURE({ shim_free(memory); }, "while published");

	memory = shim_alloc(16, 0);
	shim_rcu_assign_pointer(&published, memory);
	shim_rcu_assign_pointer(&published, nullptr);
	EXPECT_NONFATAL_FAILURE({ shim_free(memory); }, "without a grace period");

	memory = shim_alloc(16, 0);
	shim_rcu_assign_pointer(&published, memory);
	shim_rcu_assign_pointer(&published, nullptr);
	shim_synchronize_rcu();
	shim_free(memory);
}

TEST_F(rcu_test, the_machine_notices_one_withdrawn_in_the_middle_of_a_grace_period)
{
	void *memory = shim_alloc(16, 0);
	void *published = nullptr;

	shim_rcu_assign_pointer(&published, memory);
	m().in_grace_period = [&] { shim_rcu_assign_pointer(&published, nullptr); };
	shim_synchronize_rcu();
	m().in_grace_period = nullptr;
	EXPECT_NONFATAL_FAILURE({ shim_free(memory); }, "without a grace period");
}
