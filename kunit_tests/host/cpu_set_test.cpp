// SPDX-License-Identifier: GPL-2.0-only
#include "core_test.hpp"

using nmiprof::cpu_set;

TEST(cpu_set_test, holds_what_it_was_given)
{
	u64 words[cpu_set::max_cpus / 64] = {};
	cpu_set set;

	for (unsigned int cpu : {0u, 1u, 63u, 64u, 4095u, 8191u}) {
		EXPECT_FALSE(set.has(cpu));
		words[cpu / 64] |= u64{1} << cpu % 64;
	}
	set.assign(words, cpu_set::max_cpus);
	for (unsigned int cpu = 0; cpu < cpu_set::max_cpus; cpu++)
		ASSERT_EQ(set.has(cpu), words[cpu / 64] >> cpu % 64 & 1) << cpu;
	EXPECT_EQ(set.words()[0], words[0]);
}

TEST(cpu_set_test, takes_the_first_bits_and_clears_the_rest)
{
	u64 all[cpu_set::max_cpus / 64];

	std::fill(std::begin(all), std::end(all), ~u64{0});
	for (unsigned int bits : {1u, 4u, 63u, 64u, 65u, 100u, 8191u, 8192u}) {
		cpu_set set;

		set.assign(all, cpu_set::max_cpus);
		set.assign(all, bits);
		for (unsigned int cpu = 0; cpu < cpu_set::max_cpus; cpu++)
			ASSERT_EQ(set.has(cpu), cpu < bits) << bits << " bits, CPU " << cpu;
	}
}
