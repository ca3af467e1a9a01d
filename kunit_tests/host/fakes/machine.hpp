// SPDX-License-Identifier: GPL-2.0-only
// The machine under the core, simulated: clock, CPUs, timers, NMIs, memory, RCU.
//
// Everything runs on one thread, event by event in simulated time, so a test says
// exactly which NMI arrives where. Process context is the test itself; time passes
// in it only in run(), shim_sleep_us() and shim_synchronize_rcu(), and timers and
// NMIs arrive there. What the core must not do (sleep in an NMI, free what a reader
// may still see, nest the update lock, send to an offline CPU) is a test failure at
// the place where it happens.
//
//	blocked CPU	interrupts off: no timer, no kick; NMIs arrive
//	deaf CPU	takes no NMI either (SMM, a paused virtual CPU): one is latched
//	NMI latch	as on x86: while one is handled at most one more is remembered
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "shim/affinity.h"
#include "shim/cache.h"
#include "shim/clock.h"
#include "shim/context.h"
#include "shim/counter.h"
#include "shim/cpu.h"
#include "shim/lock.h"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/nmi.h"
#include "shim/object.h"
#include "shim/perf.h"
#include "shim/random.h"
#include "shim/rcu.h"
#include "shim/reclaim.h"
#include "shim/sched.h"
#include "shim/text.h"
#include "shim/timer.h"
#include "shim/trace.h"

namespace sim {

using u32 = shim_u32;
using u64 = shim_u64;

using cycles_t = decltype(shim_cycles());

inline constexpr u64 cycles_per_ns = 3;
inline constexpr u64 timer_code = 0xffffffff81000800; // what an NMI finds in a timer interrupt

enum class context { process, irq, nmi };

// What a CPU executes: what an NMI finds.
struct frame {
	u64 ip;
	u32 how;
};

// Who caused an NMI.
enum cause : u32 {
	ours = 1,
	foreign_owned = 2, // somebody else's local handler claims it
	overflowed = 8, // a counter: perf's handler calls the core, and claims it
	foreign_unowned = 4, // nobody's: the kernel's unknown NMI path must see it
};

struct cpu {
	bool present = true;
	bool online = true;
	bool blocked = false;
	bool deaf = false;
	frame where = {0, 0};

	u64 timer_at = 0; // 0: off
	u64 timer_generation = 0;
	bool timer_expired = false; // while blocked
	bool kick_pending = false; // while blocked
	bool in_irq = false, in_nmi = false;
	u32 latched = 0; // causes
	unsigned int lose = 0; // so many of the next IPIs never arrive

	// Counts, from outside the core.
	u64 sent = 0, nmis = 0, ticks = 0, merged = 0, late = 0;
	u64 in_flight = 0, doubled = 0; // doubled: sent while one was in flight
	u64 unknown_ours = 0, unknown_foreign = 0, swallowed_foreign = 0;
	u64 last_tick_at = 0, longest_gap = 0;
	u64 timer_runs = 0, kicks = 0;
};

class machine {
      public:
	explicit machine(unsigned int nr_cpus);
	~machine();
	machine(const machine &) = delete;
	machine &operator=(const machine &) = delete;

	// The one that the shims act on.
	static machine &the();

	// --- time ---
	u64 now = 1'000'000'000;
	u64 extra_cycles = 0; // time that passes inside one event
	void run(u64 ns); // lets so much time pass
	void run_until(u64 at);
	std::function<u64(unsigned int)> timer_latency; // ns; null: none

	// --- CPUs ---
	std::vector<cpu> cpus;
	void block(unsigned int cpu);
	void unblock(unsigned int cpu);
	void deafen(unsigned int cpu);
	void undeafen(unsigned int cpu);
	// Hotplug: with the core's callback, in the kernel's order. The callback's result.
	int take_offline(unsigned int cpu);
	int bring_online(unsigned int cpu);

	// --- NMIs ---
	// How long an IPI takes; 0: it arrives before shim_nmi_send() returns.
	u64 ipi_ns = 500;
	bool nmi_registered = false;
	void foreign_nmi(unsigned int cpu, bool owned = false);
	// An NMI with these causes reaches the CPU now.
	void nmi_arrives(unsigned int cpu, u32 causes);
	// Called in each NMI of the core's handler just before it; for tests.
	std::function<void(unsigned int)> before_nmi;
	// Called inside shim_nmi_send(), before the IPI leaves.
	std::function<void(unsigned int)> on_send;
	u64 in_flight = 0;
	unsigned int nmi_on = 0; // the CPU that handles an NMI, when one does
	bool unknown_of_ours_is_failure = true;

	// --- memory ---
	u64 fail_allocation = 0; // the n-th from now fails, 0: none
	bool fail_allocations = false; // all
	u64 allocations = 0;
	u64 live_bytes = 0, peak_bytes = 0;
	std::size_t live_objects() const
	{
		return objects_.size();
	}
	bool is_live(const void *p) const
	{
		return objects_.count(const_cast<void *>(p)) != 0;
	}
	bool fail_cpu_states = false;

	u64 memory_available = u64{1} << 40;

	// --- random ---
	std::mt19937 random{1};
	std::deque<u32> next_random; // these first

	// --- RCU ---
	u64 grace_period_ns = 0;
	u64 grace_periods = 0;
	std::function<void()> in_grace_period; // e.g. delivers NMIs in the middle
	u64 expedited = 0; // of them
	// Where the task is that visits CPUs; called before it gets there.
	unsigned int task_on = 0;
	std::function<void(unsigned int)> on_visit;
	std::set<unsigned int> no_visits; // sending it there fails
	u64 affinities_kept = 0; // and not put back
	// Handed to call_rcu(), or with done == nullptr to kfree_rcu(): done with at the end
	// of the next grace period that anybody waits for.
	struct deferred {
		shim_rcu_head *head;
		void (*done)(shim_rcu_head *);
	};
	std::deque<deferred> deferred_objects;

	// --- text, log ---
	u64 text_start = 0xffffffff81000000, text_end = 0xffffffff81010000;
	bool text_known = true;
	std::vector<std::string> refused, notices, leaked, traced;

	// --- perf ---
	struct perf_sample {
		unsigned int cpu;
		perf_event *event;
		u64 at, period_ns;
	};
	std::vector<perf_sample> perf_samples;
	u64 perf_sample_ns = 0; // how long one takes

	// --- PMU ---
	struct counter {
		unsigned int cpu;
		u64 rate_hz;
		bool started;
	};
	bool has_pmu = true;
	std::map<perf_event *, counter> counters;
	std::vector<std::unique_ptr<char>> counter_places; // a perf_event is opaque: any will do
	// All counters of the CPU that have been started overflow now.
	void overflow(unsigned int cpu)
	{
		nmi_arrives(cpu, overflowed);
	}

	// --- locks, contexts ---
	unsigned int cpus_locked = 0;
	std::map<const void *, int>
		locked; // spinlocks and rwlocks; readers count up, a writer is -1
	u64 locks_initialised = 0;
	u64 write_locks = 0, read_locks = 0, spin_locks = 0;
	bool update_locked = false;
	u64 update_locks = 0;
	std::function<void()> on_relax;
	std::function<void()> on_resched; // inside shim_cond_resched()
	std::function<void(const void *)> on_unlock; // once a spinlock or rwlock has been left
	std::function<void()> before_spin_lock; // the next
	u64 relaxed = 0;

	static void enter(context c);
	static void leave();
	static void expect(context c, const char *what);
	static void expect_may_sleep(const char *what);
	static void expect_outermost(const char *what);

	// Behind the shims.
	void *alloc(std::size_t bytes);
	void free(void *p);
	void assign(void **where, void *what);
	void synchronize();
	void run_task_on(unsigned int cpu);
	void lock(const void *lock, bool reading);
	void unlock(const void *lock, bool reading);
	void send(unsigned int cpu);
	void kick(unsigned int cpu);
	void cancel(unsigned int cpu);
	void flush();
	int states_alloc(std::size_t bytes);
	void states_free();
	nmiprof_cpu *state(unsigned int cpu);

      private:
	enum class kind { timer, kick, ipi };
	struct event {
		u64 at, order;
		kind what;
		unsigned int cpu;
		u64 generation;
		bool operator<(const event &other) const
		{
			return at != other.at ? at > other.at : order > other.order;
		}
	};

	void post(u64 at, kind what, unsigned int cpu, u64 generation = 0);
	void dispatch(const event &e);
	void arm(unsigned int cpu, u64 at);
	void timer_interrupt(unsigned int cpu);
	void kick_interrupt(unsigned int cpu);
	void handle_nmi(unsigned int cpu, u32 causes);
	bool still_published(void *p);

	std::priority_queue<event> events_;
	u64 order_ = 0;
	std::map<void *, std::size_t> objects_;
	// RCU: where each pointer is published, and which were withdrawn since the
	// last grace period began.
	std::map<void **, void *> published_;
	std::map<void *, unsigned int> publications_;
	std::set<void *> withdrawn_;
	std::map<void *, std::set<unsigned int>> visited_; // CPUs, since it was withdrawn
	char *states_ = nullptr;
	std::size_t state_bytes_ = 0;
};

// A context for the rest of a block.
class in_context {
      public:
	explicit in_context(context c)
	{
		machine::enter(c);
	}
	~in_context()
	{
		machine::leave();
	}
	in_context(const in_context &) = delete;
	in_context &operator=(const in_context &) = delete;
};

} // namespace sim
