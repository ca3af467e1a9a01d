// SPDX-License-Identifier: GPL-2.0-only
// Swap, drain, stop of the profile while NMIs arrive (profile.hpp; spec B3, B4).
#include "core_test.hpp"

using namespace nmiprof;

namespace {

class profile_test : public core_test {
      protected:
	u64 text(u64 offset)
	{
		return m().text_start + offset;
	}
	// NMIs of all kinds on all CPUs.
	void burst()
	{
		for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++) {
			tick_at(cpu, text(0x100 * cpu));
			tick_at(cpu, text(0x100 * cpu), NMIPROF_IRQS_OFF);
			tick_at(cpu, 0xffffffffc0000000 + 0x100 * cpu);
			tick_at(cpu, 0x400000, NMIPROF_USER);
			tick_at(cpu, text(0), NMIPROF_IDLE);
		}
	}
	static constexpr u64 binned_per_cpu = 3;
};

} // namespace

TEST_F(profile_test, counts_and_reports)
{
	ASSERT_EQ(enable(), 0);
	burst();
	const contents c = look();
	EXPECT_EQ(c.info.text_start, m().text_start);
	EXPECT_EQ(c.info.text_end, m().text_end);
	EXPECT_EQ(c.info.granularity, 16u);
	EXPECT_EQ(c.info.outside_granularity, 16u);
	EXPECT_EQ(c.info.bins, (m().text_end - m().text_start) / 16);
	EXPECT_EQ(c.info.samples, 5u * 4);
	EXPECT_EQ(c.info.user, 4u);
	EXPECT_EQ(c.info.idle, 4u);
	EXPECT_EQ(c.info.out_of_range, 0u);
	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		EXPECT_EQ(c.at(text(0x100 * cpu)), 2u);
		EXPECT_EQ(c.irqs_off_at(text(0x100 * cpu)), 1u);
		EXPECT_EQ(c.at(0xffffffffc0000000 + 0x100 * cpu), 1u);
	}
	check_ledger();
}

TEST_F(profile_test, a_look_takes_nothing_away)
{
	ASSERT_EQ(enable(), 0);
	burst();
	const u64 first = look().info.samples;
	EXPECT_EQ(look().info.samples, first);
	check_ledger();
}

TEST_F(profile_test, a_drain_hands_out_each_sample_once)
{
	ASSERT_EQ(enable(), 0);
	burst();
	EXPECT_EQ(drain().info.samples, 20u);
	EXPECT_EQ(drain().info.samples, 0u);
	check_ledger();
	burst();
	EXPECT_EQ(drain().info.samples, 20u);
	check_ledger();
}

// NMIs in the grace period of the swap count into the new buffer.
TEST_F(profile_test, nothing_is_lost_or_counted_twice_in_a_swap)
{
	ASSERT_EQ(enable(), 0);
	u64 bursts = 0, seen = 0;

	m().in_grace_period = [&] {
		burst();
		bursts++;
	};
	for (int i = 0; i < 20; i++) {
		burst();
		bursts++;
		seen += drain().info.samples;
		check_ledger();
	}
	m().in_grace_period = nullptr;
	seen += drain().info.samples;
	EXPECT_EQ(bursts, 40u);
	EXPECT_EQ(seen, bursts * 20);
	check_ledger();
}

TEST_F(profile_test, a_small_buffer_replaces_a_large_one_under_nmis)
{
	ASSERT_EQ(set_granularity(4), 0);
	ASSERT_EQ(enable(), 0);
	m().in_grace_period = [&] {
		burst();
		tick_at(0, m().text_end - 1);
	};
	for (u64 bytes : {65536, 4, 64, 4096, 16, 0}) {
		burst();
		tick_at(1, m().text_end - 1);
		ASSERT_EQ(set_granularity(bytes), 0);
		check_ledger();
	}
	EXPECT_GT(nmiprof_core_discarded(), 0u);
}

TEST_F(profile_test, a_change_of_shape_discards_by_name)
{
	ASSERT_EQ(enable(), 0);
	burst();
	ASSERT_EQ(set_granularity(64), 0);
	EXPECT_EQ(nmiprof_core_discarded(), 4 * binned_per_cpu);
	EXPECT_EQ(look().info.samples, 0u);
	EXPECT_EQ(nmiprof_core_buffer_granularity(), 64u);
	check_ledger();
	burst();
	ASSERT_EQ(set_layout(true), 0);
	EXPECT_EQ(nmiprof_core_discarded(), 8 * binned_per_cpu);
	check_ledger();
	burst();
	EXPECT_EQ(drain().info.samples, 20u);
	check_ledger();
}

TEST_F(profile_test, the_same_shape_keeps_what_was_counted)
{
	ASSERT_EQ(enable(), 0);
	burst();
	ASSERT_EQ(set_rate(500), 0);
	ASSERT_EQ(set_granularity(16), 0); // what automatic had chosen
	EXPECT_EQ(look().info.samples, 20u);
	EXPECT_EQ(nmiprof_core_discarded(), 0u);
	check_ledger();
}

TEST_F(profile_test, after_a_stop_the_samples_can_be_drained)
{
	ASSERT_EQ(enable(), 0);
	burst();
	disable();
	EXPECT_EQ(look().info.samples, 20u);
	check_ledger();
	EXPECT_EQ(drain().info.samples, 20u);
	EXPECT_EQ(drain().info.samples, 0u);
	check_ledger();
	updating u;
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		EXPECT_EQ(state(cpu).slab.read(u.lock), nullptr)
			<< "a drain does not start it again";
}

TEST_F(profile_test, a_pause_keeps_the_samples_for_one_drain)
{
	ASSERT_EQ(enable(), 0);
	burst();
	disable();
	ASSERT_EQ(enable(), 0);
	burst();
	EXPECT_EQ(drain().info.samples, 40u);
	check_ledger();
}

TEST_F(profile_test, a_tick_while_stopped_is_no_sample)
{
	ASSERT_EQ(enable(), 0);
	disable();
	tick_at(0, text(0));
	EXPECT_EQ(ledger_of(0)[term::samples], 0u);
	EXPECT_EQ(look().info.samples, 0u);
	check_ledger();
}

TEST_F(profile_test, before_the_first_start_reports_are_empty)
{
	EXPECT_EQ(look().info.samples, 0u);
	EXPECT_EQ(look().info.bins, 0u);
	EXPECT_EQ(drain().info.samples, 0u);
	EXPECT_EQ(nmiprof_core_buffer_bytes(), 0u);
	EXPECT_EQ(nmiprof_core_buffer_granularity(), 0u);
}

TEST_F(profile_test, a_drain_without_memory_changes_nothing)
{
	for (bool shared : {false, true}) {
		boot(4);
		ASSERT_EQ(set_layout(shared), 0);
		ASSERT_EQ(enable(), 0);
		burst();
		u64 failures = 0;

		for (u64 n = 1;; n++) {
			const std::size_t objects = m().live_objects();
			const u64 bytes = m().live_bytes;
			nmiprof_report *r = nullptr;

			m().fail_allocation = n;
			if (nmiprof_core_report(1, &r) == 0) {
				m().fail_allocation = 0;
				nmiprof_report_info info;

				nmiprof_core_report_info(r, &info);
				EXPECT_EQ(info.samples, 20u);
				nmiprof_core_report_free(r);
				break;
			}
			failures++;
			EXPECT_EQ(r, nullptr);
			EXPECT_EQ(m().live_objects(), objects);
			EXPECT_EQ(m().live_bytes, bytes);
			EXPECT_EQ(look().info.samples, 20u);
		}
		EXPECT_GE(failures, 3u + 4u);
		nmiprof_report *r = nullptr;
		m().fail_allocation = 1;
		EXPECT_EQ(nmiprof_core_report(0, &r), -12);
		EXPECT_EQ(r, nullptr);
	}
}

TEST_F(profile_test, a_cpu_without_a_slab_counts_no_buffer)
{
	ASSERT_EQ(offline(3), 0);
	ASSERT_EQ(enable(), 0);
	m().fail_allocation = 1;
	EXPECT_EQ(online(3), 0);
	EXPECT_EQ(m().notices.size(), 1u);
	tick_at(3, text(0));
	EXPECT_EQ(ledger_of(3)[term::no_buffer], 1u);
	EXPECT_EQ(ledger_of(3)[term::samples], 1u);
	check_ledger();
}

TEST_F(profile_test, a_swap_while_a_cpu_has_no_slab)
{
	ASSERT_EQ(set_cpus({0, 1}), 0);
	ASSERT_EQ(enable(), 0);
	burst(); // CPU 2 and 3 are not sampled: requests are no samples of the profile
	EXPECT_EQ(drain().info.samples, 10u);
	check_ledger();
	EXPECT_EQ(ledger_of(2)[term::handled], 5u);
	EXPECT_EQ(ledger_of(2)[term::samples], 0u);
	ASSERT_EQ(set_all_cpus(), 0);
	burst();
	EXPECT_EQ(drain().info.samples, 20u);
	check_ledger();
}

TEST_F(profile_test, a_small_text_and_a_full_outside_table)
{
	ASSERT_EQ(enable(), 0);
	u64 n = 0;

	for (u64 at = 0xffffffffc0000000; n < 6000; n++, at += 16)
		tick_at(0, at);
	const contents c = drain();
	EXPECT_GT(c.info.out_of_range, 0u);
	EXPECT_EQ(c.info.samples, n);
	EXPECT_EQ(ledger_of(0)[term::out_of_range], c.info.out_of_range);
	check_ledger();
}

// Limits on memory hold at the worst moment: a drain, with all that it hands out.
TEST_F(profile_test, a_drain_stays_within_the_memory_limits)
{
	for (unsigned int cpus : {1u, 4u, 64u})
		for (bool shared : {false, true})
			for (u64 total :
			     {cpus * 200 * 1024, cpus * 256 * 1024, cpus * 1024 * 1024}) {
				boot(cpus, 8 * mib, total);
				const u64 before = m().live_bytes;

				if (set_layout(shared) || enable())
					continue; // refused, and that is in order
				const u64 slack = 4096 + cpus * 64; // lists of pointers
				drain();
				EXPECT_LE(m().peak_bytes - before, total + slack)
					<< cpus << " CPUs, limit " << total << " shared " << shared;
			}
}

TEST_F(profile_test, unloading_frees_what_was_never_drained)
{
	ASSERT_EQ(enable(), 0);
	burst();
	unload();
	EXPECT_EQ(m().live_objects(), 0u);
	EXPECT_EQ(nmiprof_core_discarded(), 4 * binned_per_cpu);
}

TEST_F(profile_test, a_reader_that_stopped_in_mid_drain_still_gets_its_report)
{
	ASSERT_EQ(enable(), 0);
	burst();
	nmiprof_report *r = nullptr;
	ASSERT_EQ(nmiprof_core_report(1, &r), 0);
	ASSERT_EQ(set_granularity(64), 0); // the buffer it came from is long gone
	disable();
	nmiprof_report_info info;
	nmiprof_core_report_info(r, &info);
	EXPECT_EQ(info.samples, 20u);
	EXPECT_EQ(info.granularity, 16u) << "its own";
	nmiprof_core_report_free(r);
	nmiprof_core_report_free(nullptr);
}
