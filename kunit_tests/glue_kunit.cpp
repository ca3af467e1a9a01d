// SPDX-License-Identifier: GPL-2.0-only
#include "glue_kunit.h"

#include "cpu.hpp"
#include "cpu_set.hpp"
#include "entry.hpp"
#include "shim/memory.h"

using namespace nmiprof;

struct kt_claim {
	claim_flag flag;
};

struct kt_deadline {
	deadline due;
};

struct kt_sequence {
	kstd::sequence inside;
	kstd::local_counter<kstd::uint64_t> a, b;
};

struct kt_slab {
	slab counts;
};

namespace {

constexpr unsigned int max_cpus = 64;

constinit rcu_ptr<slab> live[max_cpus];
constinit cpu_set set; // larger than a kernel stack likes; one test at a time

template <class T> T *make() noexcept
{
	void *memory = shim_alloc(sizeof(T), 0);

	return memory ? new (kstd::here{memory}) T : nullptr;
}

slab *of(kt_slab *s) noexcept
{
	return s ? &s->counts : nullptr;
}

} // namespace

extern "C" {

kt_claim *kt_claim_new(void) noexcept
{
	return make<kt_claim>();
}

kt_deadline *kt_deadline_new(void) noexcept
{
	return make<kt_deadline>();
}

kt_sequence *kt_sequence_new(void) noexcept
{
	return make<kt_sequence>();
}

void kt_free(void *object) noexcept
{
	shim_free(object);
}

int kt_claim_try_set(kt_claim *claim) noexcept
{
	return claim->flag.try_set(entry::irq(), claim_state::asked);
}

int kt_claim_pending(const kt_claim *claim) noexcept
{
	return claim->flag.pending(entry::nmi()) != claim_state::free;
}

void kt_claim_clear(kt_claim *claim) noexcept
{
	claim->flag.clear(entry::nmi());
}

int kt_claim_reset(kt_claim *claim) noexcept
{
	return claim->flag.reset(entry::process());
}

int kt_claim_outstanding(const kt_claim *claim) noexcept
{
	return claim->flag.outstanding();
}

int kt_deadline_try_begin(kt_deadline *d) noexcept
{
	return d->due.try_begin();
}

void kt_deadline_end(kt_deadline *d) noexcept
{
	d->due.end();
}

void kt_deadline_start(kt_deadline *d, shim_u64 first, shim_u64 period) noexcept
{
	d->due.start(first, period);
}

shim_u64 kt_deadline_take_due(kt_deadline *d, shim_u64 now) noexcept
{
	return d->due.take_due(now);
}

void kt_deadline_stop(kt_deadline *d) noexcept
{
	d->due.stop();
}

shim_u64 kt_deadline_due(const kt_deadline *d) noexcept
{
	return d->due.due();
}

void kt_sequence_write(kt_sequence *s) noexcept
{
	s->inside.write_begin();
	s->a.inc();
	s->b.inc();
	s->inside.write_end();
}

int kt_sequence_read(const kt_sequence *s, shim_u64 *a, shim_u64 *b) noexcept
{
	const kstd::uint64_t seen = s->inside.read_begin();

	*a = s->a.get();
	*b = s->b.get();
	return !s->inside.changed_since(seen);
}

void *kt_bins_new(shim_u64 nbins) noexcept
{
	return shim_alloc(nbins * sizeof(bin), 0);
}

kt_slab *kt_slab_new(shim_u64 base, shim_u64 nbins, shim_u32 shift, void *shared) noexcept
{
	const shim_size own = shared ? 0 : nbins * sizeof(bin);
	auto *s = static_cast<kt_slab *>(shim_alloc(sizeof(kt_slab) + own, 0));

	if (!s)
		return nullptr;
	s->counts.base = base;
	s->counts.nbins = nbins;
	s->counts.own_nbins = shared ? 0 : nbins;
	s->counts.shared_bins = static_cast<bin *>(shared);
	s->counts.shift = shift;
	return s;
}

void kt_slab_count(kt_slab *s, shim_u64 ip, shim_u32 how) noexcept
{
	s->counts.count(entry::nmi(), ip, how);
}

shim_u32 kt_slab_bin(const kt_slab *s, shim_u64 at, int irqs_off) noexcept
{
	return s->counts.bins()[at][irqs_off].get();
}

void kt_slab_read(const kt_slab *s, kt_slab_sums *sums) noexcept
{
	*sums = {};
	sums->binned = s->counts.binned.get();
	sums->user = s->counts.user.get();
	sums->idle = s->counts.idle.get();
	sums->out_of_range = s->counts.out_of_range.get();
	s->counts.outside.for_each([sums](shim_u64, shim_u32 total, shim_u32 irqs_off) {
		sums->outside += total;
		sums->outside_irqs_off += irqs_off;
		sums->outside_rows++;
	});
}

kt_slab *kt_live_swap(unsigned int cpu, kt_slab *fresh) noexcept
{
	const may_sleep &sleep = entry::process();
	const update_lock lock(sleep);

	if (cpu >= max_cpus)
		return nullptr;
	return reinterpret_cast<kt_slab *>(live[cpu].exchange(lock, of(fresh)).reclaim(sleep));
}

int kt_live_count(unsigned int cpu, shim_u64 ip, shim_u32 how) noexcept
{
	const nmi_context &ctx = entry::nmi();
	slab *s = cpu < max_cpus ? live[cpu].read(ctx) : nullptr;

	if (s)
		s->count(ctx, ip, how);
	return s != nullptr;
}

int kt_cpu_set_matches(const shim_u64 *words, unsigned int bits) noexcept
{
	set.assign(words, bits);
	for (unsigned int cpu = 0; cpu < cpu_set::max_cpus; cpu++) {
		const bool wanted = cpu < bits && (words[cpu / 64] >> (cpu % 64) & 1);

		if (set.has(cpu) != wanted)
			return 0;
	}
	return 1;
}

void kt_enter_nmi(void) noexcept
{
	static_cast<void>(entry::nmi());
}

void kt_enter_irq(void) noexcept
{
	static_cast<void>(entry::irq());
}

void kt_enter_process(void) noexcept
{
	static_cast<void>(entry::process());
}

} // extern "C"
