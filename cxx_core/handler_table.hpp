// SPDX-License-Identifier: GPL-2.0-only
// What the NMI side reads of the registry, and how it runs the handlers.
#pragma once

#include "cpu.hpp"

namespace nmiprof {

struct handler_table {
	struct entry {
		nmiprof_handler_fn fn; // null: end of table
		void *context;
		kstd::uint64_t stats; // offset of its handler_stats in nmiprof_cpu::handlers
	};
	entry entries[registry::max_handlers + 1];
	bool only_profile; // one entry, profile::on_nmi: nmi_entry.cpp has a short way for it
};

inline handler_stats &stats_of(nmiprof_cpu &cpu, const handler_table::entry &e) noexcept
{
	return *reinterpret_cast<handler_stats *>(reinterpret_cast<char *>(cpu.handlers) + e.stats);
}

inline const handler_table *registry::table(const nmi_context &ctx) const noexcept
{
	// Pairs with rcu_assign_pointer() in publish(): what a handler's owner wrote
	// before registering it is visible to the handler (spec A2).
	return table_.read(ctx);
}

inline registry::outcome registry::dispatch(const nmi_context &ctx, nmiprof_cpu &cpu) const noexcept
{
	const handler_table::entry *e = table(ctx)->entries;
	kstd::uint32_t began = shim_cycles();
	unsigned int claims = 0;

	do {
		const unsigned int n = e->fn(e->context, &cpu);
		const kstd::uint32_t ended = shim_cycles();

		stats_of(cpu, *e).add(n, ended - began);
		claims += n;
		began = ended;
		shim_fault_pause();
	} while ((++e)->fn);
	return {claims, began};
}

} // namespace nmiprof
