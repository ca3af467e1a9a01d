// SPDX-License-Identifier: GPL-2.0-only
// What one CPU's samples are counted into: a part of a profile_buffer. A slab
// holds its own size beside its counters, so that a range check always matches
// the counters it was made for, however the buffer is replaced in mid-NMI (the
// trap in Documentation/RCU/NMI-RCU.rst; spec B1).
#pragma once

#include "fault.hpp"
#include "outside_table.hpp"
#include "shim/nmi.h"

namespace nmiprof {

// Samples of one range of addresses: [0] with interrupts on, [1] off.
using bin = kstd::local_counter<kstd::uint32_t>[2];

struct slab {
	// The trap, for the planted fault of that name: the size of what was live last.
	static inline constinit kstd::uint64_t size_outside = 0;

	using u32 = kstd::uint32_t;
	using u64 = kstd::uint64_t;

	// Written before the slab is published, then constant.
	u64 base; // address of bin 0
	u64 nbins;
	u64 own_nbins; // of them this CPU's own: all, or with layout::shared none
	bin *shared_bins; // layout::shared: those of all CPUs
	u32 shift; // log2 of the bytes per bin

	// Written by this CPU's NMI handler only.
	alignas(64) kstd::local_counter<u64> binned; // in bins[] or outside
	kstd::local_counter<u64> user;
	kstd::local_counter<u64> idle;
	kstd::local_counter<u64> out_of_range; // outside the image, and outside was full
	outside_table outside;

	// layout::per_cpu: this CPU's own, right behind the slab.
	bin *own_bins() noexcept
	{
		return reinterpret_cast<bin *>(this + 1);
	}
	const bin *bins() const noexcept
	{
		return shared_bins ? shared_bins : reinterpret_cast<const bin *>(this + 1);
	}

	// One sample: into exactly one counter (spec B2).
	void count(const nmi_context &ctx, u64 ip, u32 how) noexcept
	{
		const u64 at = index(ip);

		if (how & NMIPROF_USER)
			user.inc();
		else if (how & NMIPROF_IDLE)
			idle.inc();
		else if (at < checked(own_nbins))
			count_own(ctx, at, how);
		else if (at < checked(nbins))
			count_shared(ctx, at, how);
		else if (outside.count(ctx, ip, how & NMIPROF_IRQS_OFF))
			binned.inc();
		else
			out_of_range.inc();
	}

	// The same in two steps, for the fast path: at = index(ip); has_own_bin(at, how)
	// says that it is kernel text with a bin of this CPU's own, for count_own().
	u64 index(u64 ip) const noexcept
	{
		return (ip - base) >> shift;
	}
	bool has_own_bin(u64 at, u32 how) const noexcept
	{
		return !(how & (NMIPROF_USER | NMIPROF_IDLE)) && at < checked(own_nbins);
	}
	void count_own(const nmi_context &, u64 at, u32 how) noexcept
	{
		own_bins()[at][how & NMIPROF_IRQS_OFF].inc();
		if (fault::planted(NMIPROF_FAULT_double_count))
			own_bins()[at][how & NMIPROF_IRQS_OFF].inc();
		binned.inc();
	}

      private:
	// A size for a range check: as it is, or by the planted fault.
	static u64 checked(u64 size) noexcept
	{
		return size && fault::planted(NMIPROF_FAULT_size_outside) ? size_outside : size;
	}
	void count_shared(const nmi_context &, u64 at, u32 how) noexcept
	{
		auto &counter = shared_bins[at][how & NMIPROF_IRQS_OFF];

		if (fault::planted(NMIPROF_FAULT_shared_counter))
			counter.inc_racy();
		else
			counter.inc_shared();
		binned.inc();
	}
};

// How the bins are laid out. per_cpu: each CPU its own, plain increments.
// shared: one set for all, locked increments, the classic layout, kept to
// measure against.
enum class layout : kstd::uint32_t { per_cpu = 0, shared = 1 };

static_assert(NMIPROF_IRQS_OFF == 1, "indexes a bin");

} // namespace nmiprof
