// SPDX-License-Identifier: GPL-2.0-only
// The profile: the registry's own consumer. Its handler counts each tick into the
// slab of the CPU that it runs on; its process side publishes, swaps and stops.
//
//	live_   the buffer that counts, or that holds what was counted before a stop
//	        and not drained yet. The owner.
//	slab    of each CPU (cpu.hpp): live_'s slab while sampling, null while
//	        stopped. What NMIs read.
//
// Swap: W1 fill in the new buffer, W2 exchange live_, W3 exchange each CPU's slab,
// W4 wait for a grace period: no NMI counts into the old buffer any more, so it can
// be W5 summed and W6 freed, and not one sample is lost or counted twice (spec B3,
// B4). NMI: R1 read the slab, R2 and its size in it, R3 count. Checked by spin:
// kunit_tests/model/swap.pml.
#pragma once

#include "cpu.hpp"
#include "profile_buffer.hpp"
#include "report.hpp"

namespace nmiprof {

class profile {
      public:
	// The handlers for registry::add(): one counts ticks, the other one overflows.
	static unsigned int on_nmi(void *context, const nmiprof_nmi *nmi) noexcept;
	static unsigned int on_overflow(void *context, const nmiprof_nmi *nmi) noexcept;

	// Geometry of what is held now; nbins 0 when nothing is.
	geometry shape(const update_lock &) const noexcept;

	// Makes a buffer of this shape with slabs for the CPUs of which
	// wanted(cpu) is true. Nothing takes effect. Null: no memory.
	template <class F>
	profile_buffer *prepare(const may_sleep &sleep, const geometry &shape, F wanted) noexcept
	{
		profile_buffer *b = profile_buffer::make(sleep, shape);

		for (unsigned int cpu = 0; b && cpu < shim_nr_cpu_ids(); cpu++)
			if (wanted(cpu) && !b->add_cpu(sleep, cpu)) {
				profile_buffer::destroy(sleep, b);
				return nullptr;
			}
		return b;
	}

	// Makes `fresh` the live buffer; NMIs count into it if they did before. The
	// former one is handed back when no NMI can be in it; its samples have been
	// added to each CPU's `retired`.
	profile_buffer *swap(const update_lock &, const may_sleep &,
			     profile_buffer *fresh) noexcept;

	// Let NMIs count into the live buffer; stop them, and wait until none does.
	void start(const update_lock &) noexcept;
	void stop(const update_lock &, const may_sleep &) noexcept;

	// A slab for a CPU that came online, published if NMIs count.
	kstd::result<void> add_cpu(const update_lock &, const may_sleep &,
				   unsigned int cpu) noexcept;

	// Sum of the live buffer, which goes on.
	kstd::result<report *> look(const update_lock &, const may_sleep &) noexcept;
	// Swaps the live buffer for an empty one of the same shape and hands back
	// what it held: exactly what was counted since the last drain. Empty when
	// there never was one. errc: no_memory, nothing changed.
	kstd::result<report *> drain(const update_lock &, const may_sleep &) noexcept;

	// Frees all, counting what was never drained as discarded.
	void discard(const update_lock &, const may_sleep &) noexcept;
	// Replaces the buffer by one of another shape: what was never drained is
	// counted as discarded.
	void discard_into(const update_lock &, const may_sleep &, profile_buffer *fresh) noexcept;

	kstd::uint64_t discarded() const noexcept
	{
		return discarded_.get();
	}
	kstd::size_t bytes(const update_lock &) const noexcept;
	const profile_buffer *live(const update_lock &lock) const noexcept
	{
		return live_.read(lock);
	}

      private:
	unsigned int slabs(const update_lock &) const noexcept;

	rcu_ptr<profile_buffer> live_;
	bool counting_ = false; // update_lock
	kstd::local_counter<kstd::uint64_t> discarded_; // samples; writer: update_lock
};

} // namespace nmiprof
