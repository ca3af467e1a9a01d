// SPDX-License-Identifier: GPL-2.0-only
#include "profile_buffer.hpp"

#include "report.hpp"
#include "shim/cpu.h"
#include "shim/memory.h"

namespace nmiprof {

using kstd::errc;
using kstd::result;
using kstd::uint64_t;

namespace {

constexpr kstd::uint32_t first_automatic_shift = 4; // functions are aligned to 16 bytes

geometry shape_of(uint64_t start, uint64_t end, kstd::uint32_t shift, layout how) noexcept
{
	return {start, ((end - start) + (1ULL << shift) - 1) >> shift, shift, how};
}

} // namespace

bool fits(const geometry &g, uint64_t cpus, const memory_limits &limits) noexcept
{
	const uint64_t buffer =
		cpus * sizeof(slab) + (g.how == layout::shared ? 1 : cpus) * g.bins_bytes();

	return 2 * buffer + report::bytes(g, cpus) <= limits.of(cpus);
}

result<geometry> choose_geometry(uint64_t start, uint64_t end, unsigned int cpus,
				 uint64_t bytes_per_bin, layout how,
				 const memory_limits &limits) noexcept
{
	kstd::uint32_t shift = first_automatic_shift;

	if (bytes_per_bin) {
		if (!kstd::has_single_bit(bytes_per_bin))
			return errc::invalid;
		shift = static_cast<kstd::uint32_t>(__builtin_ctzll(bytes_per_bin));
		if (shift < min_shift || shift > max_shift)
			return errc::range;
	}
	for (; shift <= max_shift; shift++) {
		const geometry g = shape_of(start, end, shift, how);

		if (fits(g, cpus, limits))
			return g;
		if (bytes_per_bin)
			break;
	}
	return errc::range;
}

profile_buffer *profile_buffer::make(const may_sleep &, const geometry &g) noexcept
{
	// lint: bugprone-sizeof-expression: an array of pointers
	const kstd::size_t bytes = sizeof(profile_buffer) + shim_nr_cpu_ids() * sizeof(slab *);
	void *memory = shim_alloc(bytes, 0);

	if (!memory)
		return nullptr;
	auto *b = new (kstd::here{memory}) profile_buffer;

	b->shape_ = g;
	if (g.how == layout::shared && g.nbins) {
		b->shared_bins_ = static_cast<bin *>(shim_alloc(g.bins_bytes(), 0));
		if (!b->shared_bins_) {
			shim_free(b);
			return nullptr;
		}
	}
	return b;
}

void profile_buffer::destroy(const may_sleep &, profile_buffer *b) noexcept
{
	if (!b)
		return;
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		shim_free(b->slabs_[cpu]);
	shim_free(b->shared_bins_);
	shim_free(b);
}

result<void> profile_buffer::add_cpu(const may_sleep &, unsigned int cpu) noexcept
{
	if (slabs_[cpu])
		return {};

	const bool own_bins = shape_.how == layout::per_cpu;
	const kstd::size_t bytes = sizeof(slab) + (own_bins ? shape_.bins_bytes() : 0);
	auto *s = static_cast<slab *>(shim_alloc(bytes, cpu));

	if (!s)
		return errc::no_memory;
	s->base = shape_.base;
	s->nbins = shape_.nbins;
	s->shift = shape_.shift;
	s->own_nbins = own_bins ? shape_.nbins : 0;
	s->shared_bins = shared_bins_;
	slabs_[cpu] = s;
	return {};
}

kstd::size_t profile_buffer::bytes() const noexcept
{
	kstd::size_t sum = shared_bins_ ? shape_.bins_bytes() : 0;

	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (slabs_[cpu])
			sum += sizeof(slab) + (shared_bins_ ? 0 : shape_.bins_bytes());
	return sum;
}

profile_buffer::sum profile_buffer::bin_sum(uint64_t at) const noexcept
{
	uint64_t on = 0, off = 0;

	if (shared_bins_) {
		on = shared_bins_[at][0].get();
		off = shared_bins_[at][1].get();
		return {on + off, off};
	}
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (const slab *s = slabs_[cpu]) {
			on += s->bins()[at][0].get();
			off += s->bins()[at][1].get();
		}
	return {on + off, off};
}

} // namespace nmiprof
