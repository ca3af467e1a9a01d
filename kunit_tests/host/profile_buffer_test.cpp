// SPDX-License-Identifier: GPL-2.0-only
// Slabs, the table for text outside, buffers (slab.hpp, outside_table.hpp,
// profile_buffer.hpp; spec B1, B2, B5).
#include "core_test.hpp"

#include <limits>
#include <map>
#include <thread>

using namespace nmiprof;

namespace {

constexpr u64 base = 0xffffffff81000000;

class profile_buffer_test : public core_test {
      protected:
	profile_buffer *make(u64 nbins, u32 shift = 4, layout how = layout::per_cpu)
	{
		const auto &sleep = entry::process();
		profile_buffer *b = profile_buffer::make(sleep, {base, nbins, shift, how});

		EXPECT_NE(b, nullptr);
		buffers_.push_back(b);
		return b;
	}
	slab &on(profile_buffer *b, unsigned int cpu)
	{
		EXPECT_TRUE(b->add_cpu(entry::process(), cpu));
		return *b->of(cpu);
	}
	void count(slab &s, u64 ip, u32 how = 0)
	{
		in_nmi nmi;
		s.count(nmi.token, ip, how);
	}
	u64 outside_rows(const slab &s)
	{
		u64 n = 0;
		s.outside.for_each([&](u64, u32, u32) { n++; });
		return n;
	}
	~profile_buffer_test() override
	{
		for (profile_buffer *b : buffers_)
			profile_buffer::destroy(entry::process(), b);
	}

      private:
	std::vector<profile_buffer *> buffers_;
};

} // namespace

TEST_F(profile_buffer_test, a_sample_goes_into_the_bin_of_its_address)
{
	profile_buffer *b = make(8);
	slab &s = on(b, 0);

	count(s, base);
	count(s, base + 15);
	count(s, base + 16);
	EXPECT_EQ(b->bin_sum(0).total, 2u);
	EXPECT_EQ(b->bin_sum(1).total, 1u);
	EXPECT_EQ(b->bin_sum(2).total, 0u);
	EXPECT_EQ(s.binned.get(), 3u);
}

TEST_F(profile_buffer_test, interrupts_off_is_told_apart)
{
	profile_buffer *b = make(8);
	slab &s = on(b, 0);

	count(s, base);
	count(s, base, NMIPROF_IRQS_OFF);
	count(s, base, NMIPROF_IRQS_OFF);
	EXPECT_EQ(b->bin_sum(0).total, 3u);
	EXPECT_EQ(b->bin_sum(0).irqs_off, 2u);
	EXPECT_EQ(s.binned.get(), 3u);
}

TEST_F(profile_buffer_test, every_classification_in_both_layouts)
{
	for (layout how : {layout::per_cpu, layout::shared}) {
		profile_buffer *b = make(8, 4, how);
		slab &s = on(b, 1);
		struct {
			u64 ip;
			u32 how;
			u64 binned, user, idle;
		} const cases[] = {
			{base, 0, 1, 0, 0},
			{base, NMIPROF_IRQS_OFF, 1, 0, 0},
			{base, NMIPROF_USER, 0, 1, 0},
			{0x401000, NMIPROF_USER, 0, 1, 0},
			{base, NMIPROF_IDLE, 0, 0, 1},
			{base, NMIPROF_IDLE | NMIPROF_IRQS_OFF, 0, 0, 1},
			{base - 1, NMIPROF_IDLE, 0, 0, 1},
			{base - 1, 0, 1, 0, 0},
			{base - 1, NMIPROF_IRQS_OFF, 1, 0, 0},
			{base + 8 * 16, 0, 1, 0, 0},
			{0, 0, 1, 0, 0},
			{~0ULL, 0, 1, 0, 0},
		};

		for (const auto &c : cases) {
			const u64 binned = s.binned.get(), user = s.user.get(), idle = s.idle.get();

			count(s, c.ip, c.how);
			EXPECT_EQ(s.binned.get() - binned, c.binned) << std::hex << c.ip;
			EXPECT_EQ(s.user.get() - user, c.user) << std::hex << c.ip;
			EXPECT_EQ(s.idle.get() - idle, c.idle) << std::hex << c.ip;
			EXPECT_EQ(s.out_of_range.get(), 0u);
		}
		EXPECT_EQ(b->bin_sum(0).total, 2u);
		EXPECT_EQ(b->bin_sum(0).irqs_off, 1u);
		EXPECT_EQ(outside_rows(s), 4u);
	}
}

TEST_F(profile_buffer_test, the_edges_of_the_range_at_every_granularity)
{
	for (u32 shift = min_shift; shift <= max_shift; shift++) {
		constexpr u64 nbins = 3;
		profile_buffer *b = make(nbins, shift);
		slab &s = on(b, 0);
		const u64 end = base + (nbins << shift);

		count(s, base - 1);
		count(s, end);
		EXPECT_EQ(outside_rows(s), 2u) << shift;
		count(s, base);
		count(s, end - 1);
		EXPECT_EQ(outside_rows(s), 2u) << shift;
		EXPECT_EQ(b->bin_sum(0).total, 1u) << shift;
		EXPECT_EQ(b->bin_sum(nbins - 1).total, 1u) << shift;
		EXPECT_EQ(s.binned.get(), 4u);
	}
}

TEST_F(profile_buffer_test, without_known_text_all_is_counted_by_address)
{
	profile_buffer *b = make(0);
	slab &s = on(b, 0);

	for (u64 ip : {u64{0}, base, ~u64{0}})
		count(s, ip);
	EXPECT_EQ(outside_rows(s), 3u);
	EXPECT_EQ(s.binned.get(), 3u);
}

TEST_F(profile_buffer_test, a_buffer_without_bins_can_be_made_in_either_layout)
{
	for (layout how : {layout::per_cpu, layout::shared}) {
		profile_buffer *b = profile_buffer::make(entry::process(), {0, 0, 4, how});

		EXPECT_NE(b, nullptr) << "layout " << static_cast<u32>(how);
		profile_buffer::destroy(entry::process(), b);
	}
}

// Spec B1: the check goes by the size of the slab that the bins belong to.
TEST_F(profile_buffer_test, a_small_buffer_beside_a_large_one_keeps_its_own_range)
{
	profile_buffer *large = make(4096), *small = make(2, 6);

	count(on(large, 0), base + 4095 * 16);
	count(on(small, 0), base + 4095 * 16);
	EXPECT_EQ(large->bin_sum(4095).total, 1u);
	EXPECT_EQ(outside_rows(on(large, 0)), 0u);
	EXPECT_EQ(outside_rows(on(small, 0)), 1u);
}

TEST_F(profile_buffer_test, cpus_have_bins_of_their_own_or_share_them)
{
	for (layout how : {layout::per_cpu, layout::shared}) {
		profile_buffer *b = make(8, 4, how);

		for (unsigned int cpu = 0; cpu < 4; cpu++) {
			slab &s = on(b, cpu);

			for (unsigned int i = 0; i <= cpu; i++)
				count(s, base + 32, i & 1 ? NMIPROF_IRQS_OFF : 0);
			EXPECT_EQ(s.binned.get(), cpu + 1);
		}
		EXPECT_EQ(b->bin_sum(2).total, 1u + 2 + 3 + 4);
		EXPECT_EQ(b->bin_sum(2).irqs_off, 0u + 1 + 1 + 2);
	}
}

TEST_F(profile_buffer_test, bytes_are_those_allocated)
{
	for (layout how : {layout::per_cpu, layout::shared}) {
		profile_buffer *b = make(1000, 4, how);
		const u64 before = m().live_bytes;

		EXPECT_EQ(b->bytes(), how == layout::shared ? 1000 * sizeof(bin) : 0);
		on(b, 0);
		on(b, 2);
		const u64 shared = how == layout::shared ? 1000 * sizeof(bin) : 0;
		EXPECT_EQ(b->bytes() - shared, m().live_bytes - before);
		on(b, 2); // it has one
		EXPECT_EQ(b->bytes() - shared, m().live_bytes - before);
	}
}

TEST_F(profile_buffer_test, no_memory)
{
	const auto &sleep = entry::process();

	m().fail_allocation = 1;
	EXPECT_EQ(profile_buffer::make(sleep, {base, 8, 4, layout::per_cpu}), nullptr);
	for (u64 n = 1; n <= 2; n++) {
		m().fail_allocation = n;
		EXPECT_EQ(profile_buffer::make(sleep, {base, 8, 4, layout::shared}), nullptr);
	}
	EXPECT_EQ(m().live_objects(), 0u);

	profile_buffer *b = make(8);
	m().fail_allocation = 1;
	EXPECT_EQ(b->add_cpu(sleep, 0).error(), errc::no_memory);
	EXPECT_EQ(b->of(0), nullptr);
	profile_buffer::destroy(sleep, nullptr);
}

// --- text outside ---

TEST_F(profile_buffer_test, outside_text_is_counted_by_address)
{
	slab &s = on(make(8), 0);
	std::map<u64, std::pair<u32, u32>> rows;

	count(s, 0xffffffffc0001000);
	count(s, 0xffffffffc000100f, NMIPROF_IRQS_OFF);
	count(s, 0xffffffffc0001010);
	count(s, 0);
	count(s, ~0ULL, NMIPROF_IRQS_OFF);
	s.outside.for_each([&](u64 at, u32 total, u32 off) { rows[at] = {total, off}; });
	EXPECT_EQ(rows.size(), 4u);
	EXPECT_EQ(rows[0xffffffffc0001000], std::make_pair(2u, 1u));
	EXPECT_EQ(rows[0xffffffffc0001010], std::make_pair(1u, 0u));
	EXPECT_EQ(rows[0], std::make_pair(1u, 0u));
	EXPECT_EQ(rows[0xfffffffffffffff0], std::make_pair(1u, 1u));
}

TEST_F(profile_buffer_test, what_does_not_fit_outside_is_out_of_range_and_counted)
{
	slab &s = on(make(0), 0);
	u64 n = 0, rows = 0;

	for (u64 at = 0xffffffffc0000000; n < 4 * outside_table::entries; at += 16, n++)
		count(s, at);
	s.outside.for_each([&](u64, u32 total, u32) { rows += total; });
	EXPECT_GT(s.out_of_range.get(), 0u);
	EXPECT_EQ(s.binned.get() + s.out_of_range.get(), n);
	EXPECT_EQ(rows, s.binned.get());
	EXPECT_LE(outside_rows(s), u64{outside_table::entries});
	// Bounded probing leaves little unused.
	EXPECT_GT(outside_rows(s), outside_table::entries * 9 / 10);

	// What is there goes on being counted.
	const u64 binned = s.binned.get(), lost = s.out_of_range.get();
	count(s, 0xffffffffc0000000);
	EXPECT_EQ(s.binned.get(), binned + 1);
	EXPECT_EQ(s.out_of_range.get(), lost);
}

TEST_F(profile_buffer_test, outside_tables_are_per_cpu_in_either_layout)
{
	for (layout how : {layout::per_cpu, layout::shared}) {
		profile_buffer *b = make(8, 4, how);

		count(on(b, 0), 0x1000);
		EXPECT_EQ(outside_rows(on(b, 0)), 1u);
		EXPECT_EQ(outside_rows(on(b, 1)), 0u);
	}
}

// --- sums ---

// Spec B4, "exact, always": more samples than one counter of a row can hold.
TEST_F(profile_buffer_test, the_sum_over_cpus_may_pass_32_bits)
{
	profile_buffer *b = make(1);
	u64 expected = 0;

	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		slab &s = on(b, cpu);

		s.own_bins()[0][0].set(0xfffffff0);
		s.own_bins()[0][1].set(0x10);
		s.binned.set(0x100000000);
		expected += 0x100000000;
	}
	EXPECT_EQ(b->bin_sum(0).total, expected);

	report *r = report::make(entry::process(), b->shape(), 4);
	ASSERT_NE(r, nullptr);
	r->take(entry::process(), *b);
	EXPECT_EQ(r->bin_row(0).total, expected);
	EXPECT_EQ(r->bin_row(0).irqs_off, 0x40u);
	EXPECT_EQ(r->binned, expected);
	report::destroy(entry::process(), r);
}

// --- choose_geometry ---

static kstd::result<geometry> choose(u64 text, unsigned int cpus, u64 bytes_per_bin,
				     u64 per_cpu = 8 * mib, u64 total = 256 * mib,
				     layout how = layout::per_cpu)
{
	return choose_geometry(base, base + text, cpus, bytes_per_bin, how, {per_cpu, total});
}

TEST(geometry_test, a_given_granularity_is_taken_or_refused)
{
	for (u32 shift = min_shift; shift <= max_shift; shift++) {
		auto g = choose(1 * mib, 1, 1ULL << shift, 64 * mib);

		ASSERT_TRUE(g) << shift;
		EXPECT_EQ(g.value(), (geometry{base, mib >> shift, shift, layout::per_cpu}));
	}
	for (u64 bad :
	     {u64{3}, u64{5}, u64{12}, u64{65535}, u64{65537}, ~u64{0}, (u64{1} << 63) + 1})
		EXPECT_EQ(choose(1 * mib, 1, bad).error(), errc::invalid) << bad;
	for (u64 bad : {1ULL, 2ULL, 1ULL << 17, 1ULL << 32, 1ULL << 63})
		EXPECT_EQ(choose(1 * mib, 1, bad).error(), errc::range) << bad;
}

TEST(geometry_test, the_last_bin_may_be_a_part)
{
	EXPECT_EQ(choose(1, 1, 16).value().nbins, 1u);
	EXPECT_EQ(choose(16, 1, 16).value().nbins, 1u);
	EXPECT_EQ(choose(17, 1, 16).value().nbins, 2u);
	EXPECT_EQ(choose(0, 1, 16).value().nbins, 0u);
	EXPECT_EQ(choose(0, 1, 0).value().nbins, 0u);
}

TEST(geometry_test, automatic_is_the_finest_from_16_bytes_on_that_fits)
{
	EXPECT_EQ(choose(1 * mib, 1, 0).value().shift, 4u);
	for (u64 text : {1 * mib, 16 * mib, 40 * mib, 200 * mib})
		for (unsigned int cpus : {1u, 2u, 3u, 16u, 64u, 256u, 1024u, 4096u})
			for (u64 total : {64 * mib, 256 * mib, 4096 * mib}) {
				auto g = choose(text, cpus, 0, 8 * mib, total);

				if (!g) {
					EXPECT_FALSE(
						choose(text, cpus, 1 << max_shift, 8 * mib, total));
					continue;
				}
				const u32 shift = g.value().shift;

				EXPECT_TRUE(choose(text, cpus, 1ULL << shift, 8 * mib, total));
				if (shift > 4) {
					EXPECT_EQ(choose(text, cpus, 1ULL << (shift - 1), 8 * mib,
							 total)
							  .error(),
						  errc::range)
						<< text << " " << cpus << " " << total;
				}
			}
}

TEST(geometry_test, more_cpus_in_the_same_memory_never_make_it_finer)
{
	u32 last = 0;

	for (unsigned int cpus = 1; cpus <= 4096; cpus *= 2) {
		auto g = choose(32 * mib, cpus, 0, 4096 * mib, 4096 * mib);

		ASSERT_TRUE(g) << cpus;
		EXPECT_GE(g.value().shift, last);
		last = g.value().shift;
	}
}

TEST(geometry_test, either_limit_refuses)
{
	EXPECT_EQ(choose(1 * mib, 1, 0, 1, 256 * mib).error(), errc::range);
	EXPECT_EQ(choose(1 * mib, 1, 0, 8 * mib, 1).error(), errc::range);
	EXPECT_EQ(choose(1 * mib, 0, 0).error(), errc::range) << "no CPU at all";
	EXPECT_EQ(choose(1 * mib, 4096, 0, 8 * mib, 64 * mib).error(), errc::range);
}

TEST(geometry_test, the_largest_limits_do_not_overflow)
{
	constexpr u64 all =
		std::numeric_limits<u32>::max() * mib; // what a module parameter can say

	for (unsigned int cpus : {1u, 4096u, 8192u})
		EXPECT_TRUE(choose(32 * mib, cpus, 4, all, all)) << cpus;
}

TEST_F(profile_buffer_test, CPUs_that_share_a_bin_lose_no_sample)
{
	constexpr u64 each = 2'000'000;
	profile_buffer *b = make(8, 4, layout::shared);
	slab *slabs[] = {&on(b, 0), &on(b, 1)};
	in_nmi nmi;
	std::vector<std::thread> threads;

	for (slab *s : slabs)
		threads.emplace_back([&nmi, s] {
			for (u64 i = 0; i < each; i++) {
				s->count(nmi.token, base, 0);
				kstd::compiler_barrier(); // a sample is an NMI of its own
			}
		});
	for (std::thread &t : threads)
		t.join();
	EXPECT_EQ(b->bin_sum(0).total, 2 * each);
}
