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
	using u32 = kstd::uint32_t;
	using u64 = kstd::uint64_t;

	// Written before the slab is published, then constant.
	u64 base; // address of bin 0
	u64 nbins;
	bin *bins; // this CPU's own, or those that all CPUs share
	u32 shift; // log2 of the bytes per bin
	u32 slow_mask; // bits of nmiprof_how that leave the fast path

	// Written by this CPU's NMI handler only.
	alignas(64) kstd::local_counter<u64> binned; // in bins[] or outside
	kstd::local_counter<u64> user;
	kstd::local_counter<u64> idle;
	kstd::local_counter<u64> out_of_range; // outside the image, and outside was full
	outside_table outside;

	// One sample: into exactly one counter (spec B2).
	void count(const nmi_context &ctx, const nmiprof_nmi &nmi) noexcept
	{
		const u64 at = (nmi.ip - base) >> shift;

		if (__builtin_expect(nmi.how & slow_mask, 0) || at >= nbins)
			return count_slow(ctx, nmi, at);
		bins[at][nmi.how & NMIPROF_IRQS_OFF].inc();
		if constexpr (fault::double_count)
			bins[at][nmi.how & NMIPROF_IRQS_OFF].inc();
		binned.inc();
	}

      private:
	[[gnu::noinline]] void count_slow(const nmi_context &ctx, const nmiprof_nmi &nmi,
					  u64 at) noexcept
	{
		if (nmi.how & NMIPROF_USER)
			return user.inc();
		if (nmi.how & NMIPROF_IDLE)
			return idle.inc();
		if (at < nbins)
			bins[at][nmi.how & NMIPROF_IRQS_OFF].inc_shared();
		else if (!outside.count(ctx, nmi.ip, nmi.how & NMIPROF_IRQS_OFF))
			return out_of_range.inc();
		binned.inc();
	}
};

// How the bins are laid out. per_cpu: each CPU its own, plain increments.
// shared: one set for all, locked increments, the classic layout, kept to
// measure against.
enum class layout : kstd::uint32_t { per_cpu = 0, shared = 1 };

constexpr kstd::uint32_t slow_mask_of(layout l) noexcept
{
	const kstd::uint32_t always = NMIPROF_USER | NMIPROF_IDLE;

	return l == layout::shared ? always | NMIPROF_TICK : always;
}

static_assert(NMIPROF_IRQS_OFF == 1, "indexes a bin");

} // namespace nmiprof
