// SPDX-License-Identifier: GPL-2.0-only
// The core as the module sees it (nmiprof_core.h).
#include "core_test.hpp"

using api_test = core_test;

TEST_F(api_test, loading_without_memory)
{
	unload();
	m().fail_cpu_states = true;
	EXPECT_EQ(nmiprof_core_init(mib, mib), -12);
	m().fail_cpu_states = false;
	load();
}

TEST_F(api_test, loading_and_unloading_leaves_nothing)
{
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(enable(), 0);
		m().run(10 * ms);
		check_ledger();
		unload();
		EXPECT_EQ(m().live_objects(), 0u);
		load();
	}
}

TEST_F(api_test, unloading_straight_out_of_sampling)
{
	ASSERT_EQ(set_rate(100'000), 0);
	ASSERT_EQ(enable(), 0);
	m().ipi_ns = 90 * us;
	m().run(1 * ms);
	unload();
	m().run(10 * ms);
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.unknown_ours, 0u);
}

TEST_F(api_test, a_suspended_core_can_be_unloaded)
{
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	suspend();
	unload();
	EXPECT_EQ(m().live_objects(), 0u);
}

TEST_F(api_test, nmis_before_anything_is_set_up)
{
	m().foreign_nmi(0);
	EXPECT_EQ(m().cpus[0].unknown_foreign, 1u);
	EXPECT_EQ(request(0), 0);
	m().run(1 * us);
	EXPECT_EQ(m().cpus[0].ticks, 1u);
	check_ledger();
}

TEST_F(api_test, rows_run_through_bins_and_then_outside)
{
	ASSERT_EQ(enable(), 0);
	tick_at(0, m().text_start + 0x20);
	tick_at(0, 0xffffffffc0000020, NMIPROF_IRQS_OFF);
	nmiprof_report *r = nullptr;
	nmiprof_report_info info;
	nmiprof_row row;

	ASSERT_EQ(nmiprof_core_report(0, &r), 0);
	nmiprof_core_report_info(r, &info);
	EXPECT_EQ(info.bins, 0x10000u / 16);
	EXPECT_EQ(info.outside_rows, 1u);
	nmiprof_core_report_row(r, 0, &row);
	EXPECT_EQ(row.address, m().text_start);
	EXPECT_EQ(row.total, 0u);
	nmiprof_core_report_row(r, 2, &row);
	EXPECT_EQ(row.address, m().text_start + 0x20);
	EXPECT_EQ(row.total, 1u);
	EXPECT_EQ(row.irqs_off, 0u);
	nmiprof_core_report_row(r, info.bins - 1, &row);
	EXPECT_EQ(row.address, m().text_end - 16);
	nmiprof_core_report_row(r, info.bins, &row);
	EXPECT_EQ(row.address, 0xffffffffc0000020);
	EXPECT_EQ(row.total, 1u);
	EXPECT_EQ(row.irqs_off, 1u);
	nmiprof_core_report_free(r);
}

TEST_F(api_test, buffer_size_and_granularity)
{
	EXPECT_EQ(nmiprof_core_buffer_bytes(), 0u);
	ASSERT_EQ(set_granularity(256), 0);
	ASSERT_EQ(enable(), 0);
	EXPECT_EQ(nmiprof_core_buffer_granularity(), 256u);
	const u64 bytes = nmiprof_core_buffer_bytes();
	EXPECT_GT(bytes, 4u * (64 << 10));
	EXPECT_LE(bytes, m().live_bytes);
	disable();
	EXPECT_EQ(nmiprof_core_buffer_bytes(), bytes) << "kept until it is drained";
}

TEST_F(api_test, longest_run_in_ns_for_long_runs)
{
	ASSERT_GT(nmiprof_core_handler_add(
			  "slow",
			  [](void *context, const nmiprof_nmi *) -> unsigned int {
				  static_cast<sim::machine *>(context)->now += 1 * second;
				  return 1;
			  },
			  &m()),
		  0);
	m().foreign_nmi(0);
	nmiprof_handler_stats s;
	ASSERT_EQ(nmiprof_core_handler_stats(1, 0, &s), 0);
	EXPECT_EQ(s.longest_ns, 1 * second);
}

TEST_F(api_test, the_settings_mask_covers_all_cpus)
{
	boot(200);
	ASSERT_EQ(set_cpus({0, 64, 199}), 0);
	nmiprof_settings s;
	nmiprof_core_settings(&s);
	for (unsigned int cpu = 0; cpu < 200; cpu++)
		EXPECT_EQ(s.cpus[cpu / 64] >> cpu % 64 & 1, cpu == 0 || cpu == 64 || cpu == 199);
}

TEST_F(api_test, a_mask_says_nothing_of_bits_beyond_the_last_cpu)
{
	const shim_u64 mask = ~u64{0};
	nmiprof_settings s = {};

	s.cpus = &mask;
	EXPECT_EQ(nmiprof_core_configure(&s, NMIPROF_CPUS), 0);
	nmiprof_core_settings(&s);
	EXPECT_EQ(s.cpus[0], 0xfu);
}
