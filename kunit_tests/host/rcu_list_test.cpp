// SPDX-License-Identifier: GPL-2.0-only
// rcu_list (rcu_list.hpp), and retired objects that are reclaimed without waiting (rcu.hpp).
#include "core_test.hpp"

#include "rcu_list.hpp"

using namespace nmiprof;

namespace {

struct element : rcu_object, rcu_list_node<element, update_lock> {
	int value;

	static inline std::vector<int> called_back;
	static void no_reader_left(element *e) noexcept
	{
		called_back.push_back(e->value);
		shim_object_free(e);
	}
};

class rcu_list_test : public core_test {
      protected:
	~rcu_list_test() override
	{
		for (element *e : live_)
			list.remove(u.lock, e).free_later();
		shim_rcu_barrier();
		element::called_back.clear();
	}
	element *make(int value)
	{
		auto *e = new (kstd::here{shim_object_alloc(sizeof(element))}) element;

		e->value = value;
		return e;
	}
	element *add(int value)
	{
		element *e = make(value);

		list.push_front(u.lock, e);
		live_.insert(e);
		return e;
	}
	element *replace(element *old, int value)
	{
		return replace(old, make(value));
	}
	element *replace(element *old, element *fresh)
	{
		list.replace(u.lock, old, fresh).free_later();
		live_.erase(old);
		live_.insert(fresh);
		return fresh;
	}
	void remove(element *old)
	{
		list.remove(u.lock, old).free_later();
		live_.erase(old);
	}
	std::vector<int> walk(const std::function<void(int)> &between = {})
	{
		std::vector<int> seen;
		rcu_read_guard section;

		list.for_each(section, [&](const element &e) {
			seen.push_back(e.value);
			if (between)
				between(e.value);
			return true;
		});
		return seen;
	}

	updating u;
	rcu_list<element, update_lock> list;

      private:
	std::set<element *> live_;
};

using values = std::vector<int>;

} // namespace

TEST_F(rcu_list_test, is_empty_at_first)
{
	EXPECT_EQ(walk(), values());
}

TEST_F(rcu_list_test, an_element_comes_in_front)
{
	add(1);
	add(2);
	add(3);
	EXPECT_EQ(walk(), (values{3, 2, 1}));
}

TEST_F(rcu_list_test, one_replaces_another_in_its_place)
{
	element *last = add(1), *middle = add(2), *first = add(3);

	replace(middle, 20);
	EXPECT_EQ(walk(), (values{3, 20, 1}));
	replace(first, 30);
	EXPECT_EQ(walk(), (values{30, 20, 1}));
	replace(last, 10);
	EXPECT_EQ(walk(), (values{30, 20, 10}));
}

TEST_F(rcu_list_test, the_only_one_is_replaced_again_and_again)
{
	element *e = add(0);

	for (int i = 1; i < 10; i++)
		e = replace(e, i);
	EXPECT_EQ(walk(), values{9});
}

TEST_F(rcu_list_test, neighbours_are_replaced_in_any_order)
{
	element *b = add(1), *a = add(2);

	b = replace(b, 3);
	a = replace(a, 4);
	a = replace(a, 5);
	b = replace(b, 6);
	EXPECT_EQ(walk(), (values{5, 6}));
	remove(a);
	EXPECT_EQ(walk(), values{6});
	replace(b, 7);
	EXPECT_EQ(walk(), values{7});
}

TEST_F(rcu_list_test, the_rest_stays_when_one_is_removed)
{
	element *last = add(1), *middle = add(2), *first = add(3);

	remove(middle);
	EXPECT_EQ(walk(), (values{3, 1}));
	remove(first);
	EXPECT_EQ(walk(), values{1});
	remove(last);
	EXPECT_EQ(walk(), values());
}

TEST_F(rcu_list_test, a_reader_on_a_replaced_element_goes_on_to_the_rest)
{
	add(1);
	element *middle = add(2), *fresh = make(20);

	add(3);
	EXPECT_EQ(walk([&](int at) {
			  if (at == 2)
				  replace(middle, fresh);
		  }),
		  (values{3, 2, 1}));
	EXPECT_EQ(walk(), (values{3, 20, 1}));
}

TEST_F(rcu_list_test, a_reader_before_a_replaced_element_sees_the_new_one)
{
	add(1);
	element *middle = add(2), *fresh = make(20);

	add(3);
	EXPECT_EQ(walk([&](int at) {
			  if (at == 3)
				  replace(middle, fresh);
		  }),
		  (values{3, 20, 1}));
}

TEST_F(rcu_list_test, a_reader_on_a_removed_element_goes_on_to_the_rest)
{
	add(1);
	element *middle = add(2);

	add(3);
	EXPECT_EQ(walk([&](int at) {
			  if (at == 2)
				  remove(middle);
		  }),
		  (values{3, 2, 1}));
}

TEST_F(rcu_list_test, a_walk_ends_when_the_visitor_says_so)
{
	add(1);
	add(2);
	int seen = 0;
	rcu_read_guard section;

	list.for_each(section, [&](const element &) {
		seen++;
		return false;
	});
	EXPECT_EQ(seen, 1);
}

TEST_F(rcu_list_test, the_callback_gets_the_object_after_a_grace_period)
{
	element *e = make(5);
	rcu_ptr<element> p(e);

	p.exchange(u.lock, nullptr).call_later();
	EXPECT_EQ(m().grace_periods, 0u) << "nobody waits";
	EXPECT_EQ(element::called_back, values());
	shim_synchronize_rcu();
	EXPECT_EQ(element::called_back, values{5});
	EXPECT_FALSE(m().is_live(e));
}

TEST_F(rcu_list_test, kfree_rcu_gets_the_address_that_was_allocated)
{
	element *e = make(5);
	rcu_ptr<element> p(e);

	p.exchange(u.lock, nullptr).free_later();
	ASSERT_EQ(m().deferred_objects.size(), 1u);
	EXPECT_EQ(static_cast<void *>(m().deferred_objects[0].head), static_cast<void *>(e));
	EXPECT_TRUE(m().is_live(e));
	shim_synchronize_rcu();
	EXPECT_FALSE(m().is_live(e));
}

TEST_F(rcu_list_test, nothing_is_handed_over_for_null)
{
	rcu_ptr<element> p;

	p.exchange(u.lock, nullptr).call_later();
	p.exchange(u.lock, nullptr).free_later();
	EXPECT_TRUE(m().deferred_objects.empty());
}
