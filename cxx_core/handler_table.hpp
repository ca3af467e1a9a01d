// SPDX-License-Identifier: GPL-2.0-only
// What the NMI side reads of the registry, and how it runs the handlers.
#pragma once

#include "cpu.hpp"

namespace nmiprof {

struct handler_table {
	struct entry {
		nmiprof_handler_fn fn; // null: end of table
		void *context;
		kstd::uint64_t number;
	};
	entry entries[registry::max_handlers + 1];
};

inline registry::outcome registry::dispatch(const nmi_context &ctx,
					    const nmiprof_nmi &nmi) const noexcept
{
	// acquire pairs with rcu_assign_pointer() in publish(): what a handler's
	// owner wrote before registering it is visible to the handler (spec A2)
	const handler_table::entry *e = table_.read(ctx)->entries;
	kstd::uint64_t began = shim_cycles();
	unsigned int claims = 0;

	do {
		const unsigned int n = e->fn(e->context, &nmi);
		handler_stats &stats = nmi.cpu->handlers[e->number];
		const kstd::uint64_t now = shim_cycles();

		claims += n;
		stats.invocations.inc();
		stats.claims.add(n);
		if (now - began > stats.longest.get())
			stats.longest.set(now - began);
		began = now;
	} while ((++e)->fn);
	return {claims, began};
}

} // namespace nmiprof
