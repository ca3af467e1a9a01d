// SPDX-License-Identifier: GPL-2.0-only
// A profile buffer: the slabs of all sampled CPUs, of one geometry. Made, summed
// and freed in process context; the NMI side sees only its own CPU's slab.
#pragma once

#include "kstd/result.hpp"
#include "slab.hpp"

namespace nmiprof {

// What of the kernel is counted, and how finely.
struct geometry {
	kstd::uint64_t base = 0; // first address of the kernel's text
	kstd::uint64_t nbins = 0;
	kstd::uint32_t shift = 0; // log2 of bytes per bin
	layout how = layout::per_cpu;

	bool operator==(const geometry &) const noexcept = default;
	kstd::size_t bins_bytes() const noexcept
	{
		return nbins * sizeof(bin);
	}
};

// Limits on the module's memory for buffers, bytes.
struct memory_limits {
	kstd::uint64_t per_cpu;
	kstd::uint64_t total;

	kstd::uint64_t of(kstd::uint64_t cpus) const noexcept
	{
		return kstd::min(cpus * per_cpu, total);
	}
};

inline constexpr kstd::uint32_t min_shift = 2, max_shift = 16; // 4 bytes to 64 KiB per bin

// The geometry for the text [start, end) on `cpus` CPUs. bytes_per_bin 0: the
// finest from 16 bytes on that fits. Fits means: the live buffer, the empty one
// that replaces it when drained, and the sum handed out, all at the same time.
// errc: invalid (not a power of two), range (out of min_shift..max_shift, or
// over the limits).
kstd::result<geometry> choose_geometry(kstd::uint64_t start, kstd::uint64_t end, unsigned int cpus,
				       kstd::uint64_t bytes_per_bin, layout how,
				       const memory_limits &limits) noexcept;

// Whether the buffers of so many CPUs, live, spare and handed out, are within the limits.
bool fits(const geometry &g, kstd::uint64_t cpus, const memory_limits &limits) noexcept;

class profile_buffer {
      public:
	// No slabs yet. Null: no memory.
	static profile_buffer *make(const may_sleep &, const geometry &g) noexcept;
	// Null stays null. No reader may be left.
	static void destroy(const may_sleep &, profile_buffer *buffer) noexcept;

	// A slab for this CPU, if it has none. errc: no_memory.
	kstd::result<void> add_cpu(const may_sleep &, unsigned int cpu) noexcept;

	const geometry &shape() const noexcept
	{
		return shape_;
	}
	slab *of(unsigned int cpu) const noexcept
	{
		return slabs_[cpu];
	}
	// Bytes taken by all slabs.
	kstd::size_t bytes() const noexcept;

	// Samples in a bin over all CPUs. `total` includes irqs_off.
	struct sum {
		kstd::uint64_t total, irqs_off;
	};
	sum bin_sum(kstd::uint64_t at) const noexcept;

      private:
	geometry shape_;
	bin *shared_bins_ = nullptr; // layout::shared only
	slab *slabs_[]; // by CPU number; null: not sampled
};

} // namespace nmiprof
