// SPDX-License-Identifier: GPL-2.0-only
// rcu_list<T, Lock>: a linked list that readers walk while updaters change it.
//
//	struct person : rcu_object, rcu_list_node<person, person_lock> { ... };
//	rcu_list<person, person_lock> people;
//
//	reader:   people.for_each(guard, [](const person &p) { ...; return true; });
//	updater:  people.replace(lock, old, fresh).free_later();
//
// A reader sees each element that is there all the time exactly once, and of two that
// replace each other exactly one, however long it walks; an element that it stands on goes
// on leading to the rest until the reader has left its section.
//
// Costs: one load for each element. Update: two or three stores, no search.
// Limits: an element is in one list; updaters hold Lock.
// Idea: hlist_for_each_entry_rcu(), hlist_replace_rcu() (include/linux/rculist.h): ends in
// null, and each element knows the pointer that leads to it instead of its predecessor.
#pragma once

#include "rcu.hpp"

namespace nmiprof {

template <class T, class Lock> class rcu_list;

template <class T, class Lock> class rcu_list_node {
	friend class rcu_list<T, Lock>;
	rcu_ptr<T, Lock> next_;
	rcu_ptr<T, Lock> *leads_here_ = nullptr; // updaters only
};

template <class T, class Lock> class rcu_list {
	using node = rcu_list_node<T, Lock>;

      public:
	// Until visit(const T &) returns false.
	template <class Visit> void for_each(const rcu_read &section, Visit &&visit) const noexcept
	{
		for (T *e = first_.read(section); e && visit(*e);
		     e = node_of(e).next_.read(section))
			;
	}

	// The first for which is(const T &); null: none. It is there while the section lasts.
	template <class Is> T *find(const rcu_read &section, Is &&is) const noexcept
	{
		T *e = first_.read(section);

		while (e && !is(*e))
			e = node_of(e).next_.read(section);
		return e;
	}

	void push_front(const Lock &lock, T *fresh) noexcept
	{
		link(fresh, &first_, first_.read(lock));
		first_.publish(lock, fresh);
	}

	// A reader comes by `old` or by `fresh`. Both lead on to the same.
	retired<T> replace(const Lock &lock, T *old, T *fresh) noexcept
	{
		link(fresh, node_of(old).leads_here_, node_of(old).next_.read(lock));
		return node_of(old).leads_here_->exchange(lock, fresh);
	}

	// Readers on it go on from it.
	retired<T> remove(const Lock &lock, T *old) noexcept
	{
		T *next = node_of(old).next_.read(lock);

		if (next)
			node_of(next).leads_here_ = node_of(old).leads_here_;
		return node_of(old).leads_here_->exchange(lock, next);
	}

      private:
	static node &node_of(T *e) noexcept
	{
		return *e;
	}
	// All of `fresh` is written before anybody can see it.
	static void link(T *fresh, rcu_ptr<T, Lock> *leads_here, T *next) noexcept
	{
		node_of(fresh).next_.init(next);
		node_of(fresh).leads_here_ = leads_here;
		if (next)
			node_of(next).leads_here_ = &node_of(fresh).next_;
	}

	rcu_ptr<T, Lock> first_;
};

} // namespace nmiprof
