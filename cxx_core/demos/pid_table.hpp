// SPDX-License-Identifier: GPL-2.0-only
// The PID table: readers look up entries by number, take a reference and use them after
// that; writers insert and remove entries meanwhile (spec D4).
//
//	bucket {lock, list of entries}[]	pid -> bucket: a hash
//
//	reader	section { find, get unless zero }  use  put
//	writer	bucket's lock { unlink }  after a grace period, or at once: the table's put
//
// However the table is read, an entry is freed only when no read section can lead to it
// any more: so the way may be changed while readers are at work.
//
// The classic text's traps (the function that frees counts up; the callback is handed to
// call_rcu() with the arguments swapped) cannot be written: see retired<T>, rcu_counted<T>.
#pragma once

#include "demos/backlog.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "lock.hpp"
#include "rcu_counted.hpp"
#include "rcu_list.hpp"

namespace rcu_demo {

// Held by whoever changes a bucket. Only pid_table makes one.
class bucket_lock : public nmiprof::spin_guard {
	friend class pid_table;
	explicit bucket_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

struct pid_entry : nmiprof::rcu_counted<pid_entry>, nmiprof::rcu_list_node<pid_entry, bucket_lock> {
	// Until it is freed; for users to check.
	static constexpr kstd::uint32_t alive = 0x600d1d;
	kstd::atomic<kstd::uint32_t> state;
	// Constant.
	kstd::uint32_t pid;
	// No read section can lead here any more: a grace period is over since it was unlinked.
	// Written before the table's reference is put; who puts the last one reads it.
	bool unreachable = false;

	// call_rcu() calls it in softirq: the table's put.
	static void no_reader_left(pid_entry *) noexcept;
};

// What a reader keeps the bucket in place by.
enum class pid_way : kstd::uint32_t {
	rcu, // nothing that a writer would see
	rwlock, // one for the whole table
	spinlock, // the bucket's
};

// When a writer puts the table's reference to what it removed.
enum class pid_put : kstd::uint32_t {
	after_grace_period, // call_rcu(): while a reader can find an entry, its count is not 0
	at_once, // readers may find a count of 0; who puts the last calls kfree_rcu()
};

struct pid_lookups {
	kstd::uint64_t hits, misses;
	kstd::uint64_t lost_races; // found, but its last reference had been put
	// What must not be: used by a reader that holds a reference, and
	kstd::uint64_t seen_freed; // freed
	kstd::uint64_t wrong_pid; // not the one that was asked for

	pid_lookups &operator+=(const pid_lookups &) noexcept;
};

class pid_table {
	friend struct pid_entry;
	using uint32_t = kstd::uint32_t;
	using uint64_t = kstd::uint64_t;
	using may_sleep = nmiprof::may_sleep;

      public:
	static constexpr uint32_t max_pids = 32768;
	static constexpr uint32_t buckets = 1024;

	// Everything zero before; once.
	void init() noexcept;

	// Every second pid is inserted. Errors: no_memory: some were.
	[[nodiscard]] kstd::result<void> fill(const may_sleep &) noexcept;
	// None is left, and what was waiting is freed. Nobody looks up, inserts or removes.
	void clear(const may_sleep &) noexcept;

	// The entry of a pid, while the section lasts; null: there is none.
	pid_entry *find(const nmiprof::rcu_read &, uint32_t pid) noexcept;
	// One lookup; the entry, if any, is used for `use_us`. Ends early when `stopping` is
	// not 0 any more.
	pid_lookups look_up(const may_sleep &, uint32_t pid,
			    const kstd::atomic<uint32_t> &stopping) noexcept;
	// `batch` lookups of random pids, or less when `stopping`; settings count at once.
	pid_lookups look_up_some(const may_sleep &,
				 const kstd::atomic<uint32_t> &stopping) noexcept;

	// Errors: no_memory; exists.
	[[nodiscard]] kstd::result<void> insert(const may_sleep &, uint32_t pid) noexcept;
	// Errors: no_entry.
	[[nodiscard]] kstd::result<void> remove(const may_sleep &, uint32_t pid) noexcept;
	// A random pid is inserted or removed, by chance. Waits when too many objects wait
	// to be freed. Errors: no_memory; exists, no_entry: there was nothing to do.
	struct change {
		bool inserts;
		kstd::errc error;
	};
	change insert_or_remove(const may_sleep &) noexcept;

	// Live settings.
	kstd::atomic<pid_way> way;
	kstd::atomic<pid_put> put;
	kstd::atomic<uint32_t> pids{4096}; // 1 to max_pids: lookups and changes are of these
	kstd::atomic<uint32_t> batch{100};
	kstd::atomic<uint64_t> use_us;

	// Removed and not freed yet; its bound, too, may be set at any time.
	backlog waiting;

	// Counters. Once all is quiet allocated = in the table + freed.
	struct counters : object_counts {
		kstd::atomic<uint64_t> hits, misses, lost_races, seen_freed, wrong_pid;
		kstd::atomic<uint64_t> inserts, removes;
		// Who put the last reference.
		kstd::atomic<uint64_t> put_last_by_reader, put_last_by_callback, put_last_by_writer;
	};
	counters count;

      private:
	struct bucket {
		nmiprof::spinlock lock;
		nmiprof::rcu_list<pid_entry, bucket_lock> entries;
	};

	bucket &bucket_of(uint32_t pid) noexcept;
	pid_entry *make_entry(const may_sleep &, uint32_t pid) noexcept;
	void free_entry(pid_entry *) noexcept;
	void put_reference(pid_entry *, kstd::atomic<uint64_t> &if_last) noexcept;

	pid_entry *find_and_get(const nmiprof::rcu_read &, uint32_t pid,
				pid_lookups &seen) noexcept;
	pid_entry *get(uint32_t pid, pid_lookups &seen) noexcept;
	void use(const may_sleep &, const pid_entry &, uint32_t pid,
		 const kstd::atomic<uint32_t> &stopping, pid_lookups &seen) const noexcept;

	template <class Change> auto locked(bucket &, Change &&) noexcept;
	bool add(pid_entry *fresh) noexcept;
	nmiprof::retired<pid_entry> unlink(uint32_t pid) noexcept;
	void drop(nmiprof::retired<pid_entry>) noexcept;

	// Writers hold their bucket's lock; with pid_way::rwlock `readers_lock_` as well, inside it.
	nmiprof::rwlock readers_lock_;
	bucket buckets_[buckets];
};

extern pid_table the_pids;

} // namespace rcu_demo
