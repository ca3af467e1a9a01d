// SPDX-License-Identifier: GPL-2.0-only
// The state of one CPU, by who writes it: each part has cache lines of its own.
#pragma once

#include "claim.hpp"
#include "deadline.hpp"
#include "divider.hpp"
#include "perf_budget.hpp"
#include "registry.hpp"
#include "shim/cpu.h"
#include "slab.hpp"

struct nmiprof_event;

namespace nmiprof {

// Samples that left in a buffer: drained or discarded. Writer: update_lock.
struct sample_counts {
	kstd::local_counter<kstd::uint64_t> binned, user, idle, out_of_range;

	void add(const slab &s) noexcept
	{
		binned.add(s.binned.get());
		user.add(s.user.get());
		idle.add(s.idle.get());
		out_of_range.add(s.out_of_range.get());
	}
};

// Whether anybody takes samples of a CPU: senders look before they send.
struct sampled_by {
	// ns between the profile's samples, 0: it takes none here. Writer: update_lock.
	kstd::atomic<kstd::uint64_t> profile_ns;
	// perf events that are active here (perf_events.hpp), linked. Writer: the CPU.
	kstd::atomic<nmiprof_event *> perf;

	bool anybody() const noexcept
	{
		return profile_ns.load_relaxed() || perf.load_relaxed();
	}
};

} // namespace nmiprof

// The base: the NMI that is being handled, as its handlers see it. NMIs do not nest,
// so there is one.
struct nmiprof_cpu : nmiprof_nmi {
	// Writers: senders (set), this CPU's NMI handler (clear).
	alignas(64) nmiprof::claim_flag claim;
	nmiprof::sampled_by sampled_by;

	// Writer: this CPU's NMI handler, inside `inside`; slab: update_lock, RCU.
	alignas(64) kstd::sequence inside;
	nmiprof::rcu_ptr<nmiprof::slab> slab;
	kstd::local_counter<kstd::uint64_t> handled; // ticks
	kstd::local_counter<kstd::uint64_t> samples; // ticks that the profile was told of
	kstd::local_counter<kstd::uint64_t> no_buffer; // samples while there was none
	kstd::local_counter<kstd::uint64_t> foreign; // NMIs that were no ticks
	kstd::local_counter<kstd::uint64_t> late; // claimed as late arrivals of ours
	kstd::local_counter<kstd::uint64_t> overflows; // of a hardware counter
	kstd::local_counter<kstd::uint32_t> handlers_ended; // shim_cycles(), last tick
	// handlers_ended of the tick that the last NMI without a claim began soon after.
	kstd::local_counter<kstd::uint32_t> soon_after;
	// handlers_ended of the tick whose late arrival has come: there is one for each.
	kstd::local_counter<kstd::uint32_t> late_after;
	nmiprof::divider profile_divider;
	// Samples due for perf's events, and what became of them.
	kstd::local_counter<kstd::uint64_t> perf_due, perf_delivered, perf_excluded, perf_throttled;
	nmiprof::perf_budget perf_budget;
	nmiprof::handler_stats handlers[nmiprof::registry::max_handlers];

	// Writers: senders, in their turn.
	alignas(64) nmiprof::deadline due;

	// Writer: update_lock.
	alignas(64) nmiprof::sample_counts retired;
	unsigned int id;
};

static_assert(sizeof(nmiprof_cpu) < 32768, "the kernel's largest per-CPU allocation");
