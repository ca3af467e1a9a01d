// SPDX-License-Identifier: GPL-2.0-only
// Counts for text outside the kernel image (modules, BPF, trampolines): an open
// addressed hash table of one CPU, of fixed size, filled by that CPU's NMI
// handler alone, hence without atomics. What does not fit is the caller's to
// count.
#pragma once

#include "context.hpp"
#include "kstd/atomic.hpp"

namespace nmiprof {

class outside_table {
	using u32 = kstd::uint32_t;
	using u64 = kstd::uint64_t;

      public:
	static constexpr u32 entries = 4096; // 64 KiB
	static constexpr u32 address_shift = 4; // functions are aligned to 16 bytes
	static constexpr u32 probes = 16; // bounds the time in the NMI

	struct entry {
		u64 key; // address >> address_shift, plus 1; 0: empty
		kstd::local_counter<u32> count[2]; // interrupts on, off
	};

	// False: no room.
	bool count(const nmi_context &, u64 address, u32 irqs_off) noexcept
	{
		const u64 key = (address >> address_shift) + 1;
		u32 at = static_cast<u32>(key * 0x9e3779b97f4a7c15ULL >> (64 - 12));

		for (u32 i = 0; i < probes; i++, at = (at + 1) % entries) {
			entry &e = table_[at];
			const u64 there = __atomic_load_n(&e.key, __ATOMIC_RELAXED);

			if (there && there != key)
				continue;
			// The counts before the key: a reader that sees the key
			// sees counts that belong to it.
			e.count[irqs_off].inc();
			if (!there)
				__atomic_store_n(&e.key, key, __ATOMIC_RELEASE);
			return true;
		}
		return false;
	}

	// Calls f(address, count, of them with interrupts off) for each entry. Any
	// context; of a live table, what it held at some moment of the walk.
	template <class F> void for_each(F f) const noexcept
	{
		for (const entry &e : table_) {
			const u64 key = __atomic_load_n(&e.key, __ATOMIC_ACQUIRE);

			if (!key)
				continue;
			const u32 on = e.count[0].get(), off = e.count[1].get();
			f((key - 1) << address_shift, on + off, off);
		}
	}

      private:
	entry table_[entries];
};

static_assert(outside_table::entries == 1 << 12, "the hash shift above");

} // namespace nmiprof
