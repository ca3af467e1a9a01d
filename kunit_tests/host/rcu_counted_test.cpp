// SPDX-License-Identifier: GPL-2.0-only
// Reference counts, and objects that readers find under RCU and keep by one (rcu_counted.hpp).
#include "core_test.hpp"

#include <cstring>

#include "rcu_counted.hpp"

using namespace nmiprof;

namespace {

class ref_count_test : public core_test {
      protected:
	// The count stands at `n`.
	void set(u32 n)
	{
		static_assert(sizeof(references) == sizeof(n));
		std::memcpy(static_cast<void *>(&references), &n, sizeof(n));
	}
	void expect_stuck()
	{
		ASSERT_EQ(m().leaked.size(), 1u);
		m().leaked.clear();
		for (int i = 0; i < 10; i++) {
			EXPECT_TRUE(references.get_unless_zero());
			EXPECT_FALSE(references.put());
			EXPECT_FALSE(references.put());
		}
		m().leaked.clear();
	}

	ref_count references;
};

struct counted : rcu_counted<counted> {
	int value = 0;
};

class rcu_counted_test : public core_test {
      protected:
	~rcu_counted_test() override
	{
		shim_synchronize_rcu();
	}
	counted *make()
	{
		return new (kstd::here{shim_object_alloc(sizeof(counted))}) counted;
	}

	updating u;
};

} // namespace

TEST_F(ref_count_test, the_last_put_says_so)
{
	references.get();
	EXPECT_TRUE(references.get_unless_zero());
	EXPECT_FALSE(references.put());
	EXPECT_FALSE(references.put());
	EXPECT_TRUE(references.put());
}

TEST_F(ref_count_test, nobody_gets_one_after_the_last)
{
	EXPECT_TRUE(references.put());
	EXPECT_FALSE(references.get_unless_zero());
	EXPECT_FALSE(references.get_unless_zero());
}

TEST_F(ref_count_test, one_that_is_used_after_the_last_sticks)
{
	EXPECT_TRUE(references.put());
	references.get();
	expect_stuck();
}

TEST_F(ref_count_test, one_that_is_put_too_often_sticks)
{
	EXPECT_TRUE(references.put());
	EXPECT_FALSE(references.put());
	expect_stuck();
}

TEST_F(ref_count_test, one_that_overflows_sticks)
{
	set(0x7fffffff);
	references.get();
	EXPECT_TRUE(m().leaked.empty());
	references.get();
	expect_stuck();
}

TEST_F(ref_count_test, one_that_overflows_without_being_asked_to_does_not_come_round)
{
	set(0x7fffffff);
	for (int i = 0; i < 10; i++)
		EXPECT_TRUE(references.get_unless_zero());
	EXPECT_FALSE(references.put());
	expect_stuck();
}

TEST_F(rcu_counted_test, is_its_users_after_it_was_unpublished)
{
	counted *c = make();
	rcu_ptr<counted> p(c);

	c->get();
	counted *kept = counted::keep(p.exchange(u.lock, nullptr));

	EXPECT_EQ(kept, c);
	EXPECT_FALSE(kept->put()) << "the user has one";
	EXPECT_TRUE(m().is_live(c));
	ASSERT_TRUE(c->put());
	c->retire().free_later();
	EXPECT_TRUE(m().is_live(c)) << "a reader may be on it";
	shim_synchronize_rcu();
	EXPECT_FALSE(m().is_live(c));
}

TEST_F(rcu_counted_test, null_is_kept_as_null)
{
	rcu_ptr<counted> p;

	EXPECT_EQ(counted::keep(p.exchange(u.lock, nullptr)), nullptr);
}

TEST_F(rcu_counted_test, a_reader_that_comes_too_late_gets_none)
{
	counted *c = make();
	rcu_ptr<counted> p(c);

	{
		const rcu_read_guard section;
		counted *found = p.read(section);

		ASSERT_TRUE(counted::keep(p.exchange(u.lock, nullptr))->put());
		EXPECT_FALSE(found->get_unless_zero(section));
	}
	c->retire().free_later();
}
