// SPDX-License-Identifier: GPL-2.0-only
// A set of CPU numbers; its words are laid out as the kernel's cpumask is.
#pragma once

#include "kstd/types.hpp"

namespace nmiprof {

class cpu_set {
      public:
	static constexpr unsigned int max_cpus = 8192; // the kernel's own limit on x86-64

	bool has(unsigned int cpu) const noexcept
	{
		return words_[cpu / 64] >> (cpu % 64) & 1;
	}
	// The first `bits` bits of `words`.
	void assign(const kstd::uint64_t *words, unsigned int bits) noexcept
	{
		for (unsigned int i = 0; i < max_cpus / 64; i++)
			words_[i] = i < (bits + 63) / 64 ? words[i] : 0;
		if (bits % 64)
			words_[bits / 64] &= (kstd::uint64_t{1} << bits % 64) - 1;
	}
	const kstd::uint64_t *words() const noexcept
	{
		return words_;
	}

      private:
	kstd::uint64_t words_[max_cpus / 64] = {};
};

} // namespace nmiprof
