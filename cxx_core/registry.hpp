// SPDX-License-Identifier: GPL-2.0-only
// The registry of dynamic NMI handlers (spec A): several at once, changed while
// NMIs arrive.
//
//	registry.add() / replace() / remove()       process context, update_lock
//	   -> a new table -> rcu_ptr -> grace period -> the old table is freed
//	registry.dispatch()                         NMI: one read of the rcu_ptr
//
// X1 fill in the new table, X2 publish it, X3 wait for a grace period, X4 free the old
// one; NMI: D1 read the pointer, D2 run the handlers. Checked by spin:
// kunit_tests/model/registry.pml.
//
// A table is never changed once published: an NMI runs the handlers, each with
// its own context, of one table, so a replace is atomic. The table is never
// empty and the pointer never null: with nothing registered, a handler that
// reports "not mine" is in place. When remove() or replace() returns, no CPU
// runs the old handler and its data may be freed.
// Idea: Documentation/RCU/NMI-RCU.rst, for one handler.
#pragma once

#include "kstd/result.hpp"
#include "rcu.hpp"
#include "shim/clock.h"
#include "shim/nmi.h"

namespace nmiprof {

// Per CPU and handler; writer: that CPU's NMI handler.
struct handler_stats {
	kstd::local_counter<kstd::uint64_t> invocations;
	kstd::local_counter<kstd::uint64_t> claims; // events it said were its own
	kstd::local_counter<kstd::uint32_t> longest; // run, in cycles, below 2^32

	void add(unsigned int events, kstd::uint32_t cycles) noexcept
	{
		invocations.inc();
		claims.add(events);
		if (__builtin_expect(cycles > longest.get(), 0))
			longest.set(cycles);
	}
};

struct handler_table;

class registry {
      public:
	static constexpr unsigned int max_handlers = 16; // the default one is number 0
	static constexpr unsigned int max_name = 32; // bytes, with the final 0

	constexpr registry() noexcept;

	// Adds a handler under a name that is not in use. Returns its number, which
	// the other calls take. errc: invalid (no function; name empty or too
	// long), exists, no_space, no_memory.
	kstd::result<unsigned int> add(const update_lock &, const may_sleep &, const char *name,
				       nmiprof_handler_fn fn, void *context) noexcept;
	// Function and context change together. errc: no_entry, invalid, no_memory.
	kstd::result<void> replace(const update_lock &, const may_sleep &, unsigned int number,
				   nmiprof_handler_fn fn, void *context) noexcept;
	// errc: no_entry. Cannot fail for lack of memory.
	kstd::result<void> remove(const update_lock &, const may_sleep &,
				  unsigned int number) noexcept;
	// Null when the number is not in use.
	const char *name(const update_lock &, unsigned int number) const noexcept;

	// The table of this moment.
	const handler_table *table(const nmi_context &) const noexcept;
	// Runs the handlers for the NMI in `cpu`.
	struct outcome {
		unsigned int claims; // events that they claimed, all together
		kstd::uint32_t ended; // shim_cycles() after the last one
	};
	outcome dispatch(const nmi_context &, nmiprof_cpu &cpu) const noexcept;

      private:
	struct slot {
		nmiprof_handler_fn fn;
		void *context;
		char name[max_name];
	};

	void publish(const update_lock &, const may_sleep &, handler_table *fresh) noexcept;
	unsigned int in_use() const noexcept; // slots
	void fill(handler_table &table) const noexcept; // from slots_

	rcu_ptr<handler_table> table_;
	// The update side's own list, from which tables are made. Writer: holder of
	// update_lock.
	slot slots_[max_handlers] = {};
	// For remove(), which must not fail: memory for one table, set aside by add().
	handler_table *spare_ = nullptr;
};

} // namespace nmiprof
