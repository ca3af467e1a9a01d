// SPDX-License-Identifier: GPL-2.0-only
#include "counters.hpp"

#include "shim/log.h"

namespace nmiprof {

using kstd::errc;
using kstd::result;

counters *counters::allocate(const may_sleep &, u64 rate_hz) noexcept
{
	void *memory =
		shim_alloc(sizeof(counters) + shim_nr_cpu_ids() * sizeof(struct perf_event *), 0);

	if (!memory)
		return nullptr;
	auto *set = new (kstd::here{memory}) counters;

	set->rate_hz_ = rate_hz;
	return set;
}

void counters::destroy(const may_sleep &sleep, counters *set) noexcept
{
	for (unsigned int cpu = 0; set && cpu < shim_nr_cpu_ids(); cpu++)
		set->remove(sleep, cpu);
	shim_free(set);
}

result<void> counters::create(const may_sleep &, unsigned int cpu) noexcept
{
	const int err = shim_counter_create(cpu, rate_hz_, &of_[cpu]);

	if (!err)
		return {};
	of_[cpu] = nullptr;
	if (err == kstd::to_errno(errc::no_memory))
		return errc::no_memory;
	shim_log_refused("source pmu: CPU %u has no counter that interrupts (perf says %d)", cpu,
			 err);
	return errc::no_device;
}

void counters::start(const may_sleep &) noexcept
{
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (of_[cpu])
			shim_counter_start(of_[cpu]);
}

result<void> counters::add(const may_sleep &sleep, unsigned int cpu) noexcept
{
	if (of_[cpu])
		return {};
	auto created = create(sleep, cpu);

	if (created)
		shim_counter_start(of_[cpu]);
	return created;
}

void counters::remove(const may_sleep &, unsigned int cpu) noexcept
{
	if (of_[cpu])
		shim_counter_destroy(of_[cpu]);
	of_[cpu] = nullptr;
}

} // namespace nmiprof
