// SPDX-License-Identifier: GPL-2.0-only
// typesafe_ptr<T>, typesafe_cache<T>: objects whose memory is reused at once, found by
// readers who lock only the object.
//
//	struct session : typesafe_object { int user; };	// user: under the session's lock
//
//	reader:   current.with([](session &s) { ... }, [](session &) { ... });
//	updater:  session *old = current.exchange(fresh);
//	          { const spin_guard held(old->lock); ... }	// who uses it has left
//	          sessions.free(old);				// no grace period
//
// RCU promises less here than usual: not that the object goes on living, only that its
// memory is a T until the readers have left their sections. So:
//
//	1. find   the pointer, in a read section. Its object may die now, and its memory be
//	          another one, in use elsewhere.
//	2. lock   that works on whatever is there: the constructor initialised the lock when the
//	          memory came into the cache, and no life of an object does so again.
//	3. look   does the pointer still lead here? Then this is the object, and it stays: who
//	          takes it away waits for the lock before freeing it. Else unlock it, still in
//	          the section, and begin again.
//
// Costs: a read is a lock of the object's, uncontended unless two use the same one. An
// update waits for that lock, not for a grace period, and memory is reused while it is warm.
// Limits: all that is in an object is accessed under its lock, its filling in included.
// Idea: lock_task_sighand() (kernel/signal.c); SLAB_TYPESAFE_BY_RCU (include/linux/slab.h).
#pragma once

#include "kstd/atomic.hpp"
#include "kstd/result.hpp"
#include "kstd/utility.hpp"
#include "lock.hpp"
#include "shim/cache.h"

namespace nmiprof {

// To be derived from.
struct typesafe_object {
	spinlock lock;
};

template <class T> class typesafe_cache {
      public:
	// Once; before any of the others. Errors: no_memory.
	[[nodiscard]] kstd::result<void> create(const may_sleep &, const char *name) noexcept
	{
		cache_ = shim_cache_create(name, sizeof(T), construct);
		if (!cache_)
			return kstd::errc::no_memory;
		return {};
	}
	// All objects have been freed, and nobody looks for one.
	void destroy(const may_sleep &) noexcept
	{
		if (cache_)
			shim_cache_destroy(kstd::exchange<shim_cache *>(cache_, nullptr));
	}
	// As its last life left it, but unlocked. A reader who is late may lock it meanwhile.
	// Null: no memory.
	T *alloc(const may_sleep &) noexcept
	{
		return static_cast<T *>(shim_cache_alloc(cache_));
	}
	// Nobody holds its lock who found it rightly.
	void free(T *object) noexcept
	{
		shim_cache_free(cache_, object);
	}

      private:
	static void construct(void *place) noexcept
	{
		(new (kstd::here{place}) T)->lock.init();
	}

	shim_cache *cache_ = nullptr;
};

template <class T> class typesafe_ptr {
      public:
	// use(T &) once, with the object locked, unless there is none: false. missed(T &) each
	// time that another object was locked instead: it is one of the cache, dead or alive.
	template <class Use, class Missed> bool with(Use &&use, Missed &&missed) const noexcept
	{
		for (;;) {
			const rcu_read_guard section;
			T *found = find(section);

			if (!found)
				return false;
			const spin_guard held(found->lock);

			if (find(section) == found) {
				use(*found);
				return true;
			}
			missed(*found);
		}
	}

	// Step 1 alone: nothing in it may be looked at.
	T *find(const rcu_read &) const noexcept
	{
		return object_.load_acquire();
	}

	// The old one, which nobody else gets: to be locked, marked, unlocked and freed.
	T *exchange(T *fresh) noexcept
	{
		return object_.exchange(fresh);
	}

      private:
	kstd::atomic<T *> object_;
};

} // namespace nmiprof
