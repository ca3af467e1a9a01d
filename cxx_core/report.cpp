// SPDX-License-Identifier: GPL-2.0-only
#include "report.hpp"

#include "shim/cpu.h"
#include "shim/memory.h"

namespace nmiprof {

report *report::make(const may_sleep &sleep, const geometry &shape, unsigned int slabs) noexcept
{
	void *memory = shim_alloc(sizeof(report), 0);

	if (!memory)
		return nullptr;
	auto *r = new (kstd::here{memory}) report;

	r->shape_ = shape;
	r->outside_room_ = u64{slabs} * outside_table::entries;
	r->bins_ = static_cast<pair *>(shim_alloc(shape.nbins * sizeof(pair), 0));
	r->outside_ = static_cast<row *>(shim_alloc(r->outside_room_ * sizeof(row), 0));
	if ((shape.nbins && !r->bins_) || (r->outside_room_ && !r->outside_)) {
		destroy(sleep, r);
		return nullptr;
	}
	return r;
}

void report::destroy(const may_sleep &, report *r) noexcept
{
	if (!r)
		return;
	shim_free(r->bins_);
	shim_free(r->outside_);
	shim_free(r);
}

void report::take(const may_sleep &, const profile_buffer &buffer) noexcept
{
	for (u64 at = 0; at < shape_.nbins; at++) {
		const profile_buffer::sum s = buffer.bin_sum(at);

		bins_[at] = {s.total, s.irqs_off};
		binned += bins_[at].total;
	}
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++) {
		const slab *s = buffer.of(cpu);

		if (!s)
			continue;
		user += s->user.get();
		idle += s->idle.get();
		out_of_range += s->out_of_range.get();
		s->outside.for_each([this](u64 address, u32 total, u32 irqs_off) {
			if (outside_used_ == outside_room_)
				return; // a slab added since make(): not possible under update_lock
			outside_[outside_used_++] = {address, total, irqs_off};
			binned += total;
		});
	}
}

report::row report::bin_row(u64 at) const noexcept
{
	return {shape_.base + (at << shape_.shift), bins_[at].total, bins_[at].irqs_off};
}

} // namespace nmiprof
