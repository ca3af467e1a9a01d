// SPDX-License-Identifier: GPL-2.0-only
// Settings and the sampler's life (control.hpp): validated whole, prepared, and only
// then in effect.
#include "core_test.hpp"

using namespace nmiprof;

namespace {

class control_test : public core_test {
      protected:
	// All that a refused change must leave as it was.
	struct everything {
		u64 rate_hz, granularity;
		u32 shared_layout, all_cpus;
		std::vector<u64> cpus;
		int enabled;
		u64 buffer_granularity, discarded, samples;
		std::vector<std::string> handlers;
		std::vector<bool> sampled;
		u64 period_ns;
		std::vector<u64> ledger;

		bool operator==(const everything &) const = default;
	};
	everything now()
	{
		everything e = {};
		nmiprof_settings s;

		nmiprof_core_settings(&s);
		e.rate_hz = s.rate_hz;
		e.granularity = s.granularity;
		e.shared_layout = s.shared_layout;
		e.all_cpus = s.all_cpus;
		e.cpus.assign(s.cpus, s.cpus + (m().cpus.size() + 63) / 64);
		e.enabled = nmiprof_core_enabled();
		e.buffer_granularity = nmiprof_core_buffer_granularity();
		e.discarded = nmiprof_core_discarded();
		e.samples = look().info.samples;
		for (unsigned int i = 0; i < nmiprof_core_max_handlers(); i++) {
			char name[32] = "";
			nmiprof_core_handler_name(i, name, sizeof(name));
			e.handlers.emplace_back(name);
		}
		updating u;
		const plan *p = the_timer.current(u.lock);
		e.period_ns = p ? p->period_ns() : 0;
		for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++) {
			e.sampled.push_back(p && p->samples(cpu));
			auto l = read_ledger(u.lock, u.sleep, cpu);

			e.ledger.insert(e.ledger.end(), std::begin(l.value().value),
					std::end(l.value().value));
		}
		return e;
	}
};

} // namespace

TEST_F(control_test, defaults)
{
	nmiprof_settings s;

	nmiprof_core_settings(&s);
	EXPECT_EQ(s.rate_hz, 997u);
	EXPECT_EQ(s.granularity, 0u);
	EXPECT_EQ(s.shared_layout, 0u);
	EXPECT_EQ(s.all_cpus, 1u);
	EXPECT_EQ(nmiprof_core_enabled(), 0);
}

TEST_F(control_test, every_field_is_taken_by_itself)
{
	ASSERT_EQ(set_rate(123), 0);
	ASSERT_EQ(set_granularity(32), 0);
	ASSERT_EQ(set_layout(true), 0);
	ASSERT_EQ(set_cpus({1, 3}), 0);
	nmiprof_settings s;
	nmiprof_core_settings(&s);
	EXPECT_EQ(s.rate_hz, 123u);
	EXPECT_EQ(s.granularity, 32u);
	EXPECT_EQ(s.shared_layout, 1u);
	EXPECT_EQ(s.all_cpus, 0u);
	EXPECT_EQ(s.cpus[0], 0b1010u);
	ASSERT_EQ(set_layout(false), 0);
	ASSERT_EQ(set_all_cpus(), 0);
	nmiprof_core_settings(&s);
	EXPECT_EQ(s.rate_hz, 123u);
	EXPECT_EQ(s.granularity, 32u);
	EXPECT_EQ(s.shared_layout, 0u);
	EXPECT_EQ(s.all_cpus, 1u);
}

TEST_F(control_test, several_fields_take_effect_together_or_not_at_all)
{
	nmiprof_settings s = {};
	const everything before = now();

	s.rate_hz = 500;
	s.granularity = 3;
	EXPECT_EQ(nmiprof_core_configure(&s, NMIPROF_RATE_HZ | NMIPROF_GRANULARITY), -22);
	EXPECT_EQ(now(), before);
	s.granularity = 64;
	EXPECT_EQ(nmiprof_core_configure(&s, NMIPROF_RATE_HZ | NMIPROF_GRANULARITY), 0);
	EXPECT_EQ(now().rate_hz, 500u);
	EXPECT_EQ(now().granularity, 64u);
	EXPECT_EQ(nmiprof_core_configure(&s, 0), 0) << "nothing asked for";
	EXPECT_EQ(now().rate_hz, 500u);
}

TEST_F(control_test, the_edges_of_the_rate)
{
	for (bool on : {false, true}) {
		if (on) {
			ASSERT_EQ(enable(), 0);
		}
		for (u64 good : {1, 2, 997, 99'999, 100'000})
			EXPECT_EQ(set_rate(good), 0) << good;
		const everything before = now();
		for (u64 bad : {u64{0}, u64{100'001}, u64{1} << 32, ~u64{0}}) {
			const std::size_t said = m().refused.size();

			EXPECT_EQ(set_rate(bad), -34) << bad;
			EXPECT_EQ(m().refused.size(), said + 1);
			EXPECT_NE(m().refused.back().find("rate_hz"), std::string::npos);
			EXPECT_EQ(now(), before) << bad;
		}
	}
}

TEST_F(control_test, every_bad_value_leaves_everything_unchanged)
{
	for (bool on : {false, true}) {
		if (on) {
			ASSERT_EQ(enable(), 0);
			m().run(20 * ms);
			tick_at(0, m().text_start);
		}
		const everything before = now();
		const struct {
			int expected;
			std::function<int()> change;
		} bad[] = {
			{-34, [&] { return set_rate(0); }},
			{-34, [&] { return set_rate(100'001); }},
			{-22, [&] { return set_granularity(3); }},
			{-22, [&] { return set_granularity(~u64{0}); }},
			{-34, [&] { return set_granularity(1); }},
			{-34, [&] { return set_granularity(2); }},
			{-34, [&] { return set_granularity(1 << 17); }},
			{-22, [&] { return set_cpus({}); }},
		};

		for (const auto &b : bad) {
			const std::size_t said = m().refused.size();

			EXPECT_EQ(b.change(), b.expected);
			EXPECT_EQ(m().refused.size(), said + 1) << "the log says why, once";
			EXPECT_EQ(now(), before);
		}
		check_ledger();
	}
}

TEST_F(control_test, cpus_that_are_not_there)
{
	boot(70);
	const everything before = now();
	std::vector<shim_u64> mask(2);
	nmiprof_settings s = {};

	EXPECT_EQ(set_cpus({69}), 0);
	EXPECT_EQ(set_all_cpus(), 0);
	m().cpus[69].online = false;
	EXPECT_EQ(set_cpus({0, 69}), -19);
	EXPECT_NE(m().refused.back().find("CPU 69 is offline"), std::string::npos);
	m().cpus[69].online = true;
	EXPECT_EQ(now().all_cpus, before.all_cpus);
	s.cpus = mask.data();
	EXPECT_EQ(nmiprof_core_configure(&s, NMIPROF_CPUS), -22) << "empty";
}

TEST_F(control_test, cpus_that_are_not_present)
{
	boot(8);
	m().cpus[5].present = m().cpus[5].online = false;
	EXPECT_EQ(set_cpus({4, 5}), -22);
	EXPECT_NE(m().refused.back().find("no CPU 5"), std::string::npos);
	ASSERT_EQ(enable(), 0);
	m().run(20 * ms);
	check_ledger();
	u64 values[terms];
	EXPECT_EQ(nmiprof_core_ledger(5, values), -19);
}

TEST_F(control_test, buffers_over_the_limit_are_refused)
{
	boot(4, 8 * mib, 1280 * 1024);
	EXPECT_EQ(set_granularity(64), 0);
	EXPECT_EQ(set_granularity(4), -34) << "128 KiB of bins for each CPU";
	EXPECT_EQ(now().granularity, 64u);
	boot(4, 8 * mib, 1024);
	EXPECT_EQ(enable(), -34);
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	EXPECT_EQ(m().live_objects(), 0u);
	EXPECT_FALSE(m().refused.empty());
}

TEST_F(control_test, enable_and_disable_twice_is_no_error)
{
	disable();
	ASSERT_EQ(enable(), 0);
	const u64 allocations = m().allocations;
	EXPECT_EQ(enable(), 0);
	EXPECT_EQ(m().allocations, allocations);
	EXPECT_EQ(nmiprof_core_enabled(), 1);
	disable();
	disable();
	EXPECT_EQ(nmiprof_core_enabled(), 0);
}

TEST_F(control_test, sampling_happens_exactly_while_enabled)
{
	ASSERT_EQ(set_rate(1000), 0);
	m().run(10 * ms);
	EXPECT_EQ(ledger_of_all()[term::due], 0u);
	ASSERT_EQ(enable(), 0);
	m().run(100 * ms);
	EXPECT_NEAR(double(ledger_of_all()[term::samples]), 400, 12);
	disable();
	const u64 samples = ledger_of_all()[term::samples];
	m().run(100 * ms);
	EXPECT_EQ(ledger_of_all()[term::samples], samples);
	EXPECT_EQ(ledger_of_all()[term::outstanding], 0u);
	check_ledger();
}

TEST_F(control_test, changes_while_sampling_take_effect_at_once)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(20 * ms);
	ASSERT_EQ(set_rate(10'000), 0);
	const u64 before = m().cpus[1].ticks;
	m().run(20 * ms);
	EXPECT_NEAR(double(m().cpus[1].ticks - before), 198, 3);
	ASSERT_EQ(set_cpus({0, 1}), 0);
	m().run(5 * us);
	const u64 of_2 = m().cpus[2].ticks, of_1 = m().cpus[1].ticks;
	m().run(20 * ms);
	EXPECT_EQ(m().cpus[2].ticks, of_2);
	EXPECT_NEAR(double(m().cpus[1].ticks - of_1), 200, 2);
	check_ledger();
}

TEST_F(control_test, each_failed_allocation_of_enable_leaves_everything_off)
{
	for (bool shared : {false, true}) {
		boot(4);
		ASSERT_EQ(set_layout(shared), 0);
		const everything before = now();
		u64 n = 1;

		for (;; n++) {
			m().fail_allocation = n;
			const int err = enable();

			if (!m().fail_allocation) {
				EXPECT_EQ(err, -12);
				EXPECT_EQ(m().live_objects(), 0u) << n;
				EXPECT_EQ(now(), before) << n;
				EXPECT_FALSE(m().refused.empty());
				continue;
			}
			EXPECT_EQ(err, 0);
			break;
		}
		EXPECT_GE(n, 8u) << "plan, buffer, slabs, tables";
		m().fail_allocation = 0;
		m().run(20 * ms);
		check_ledger();
	}
}

TEST_F(control_test, each_failed_allocation_of_a_change_leaves_everything_as_it_was)
{
	const std::function<int()> changes[] = {
		[&] { return set_rate(500); },     [&] { return set_granularity(64); },
		[&] { return set_layout(true); },  [&] { return set_cpus({1, 2}); },
		[&] { return set_layout(false); }, [&] { return set_all_cpus(); },
	};

	ASSERT_EQ(enable(), 0);
	for (const auto &change : changes) {
		m().run(10 * ms);
		for (u64 n = 1;; n++) {
			// NMIs that are on their way arrive before the comparison.
			m().run(1 * us);
			const everything before = now();

			m().fail_allocation = n;
			const int err = change();

			if (m().fail_allocation) {
				EXPECT_EQ(err, 0);
				m().fail_allocation = 0;
				break;
			}
			EXPECT_EQ(err, -12);
			EXPECT_EQ(now(), before) << "allocation " << n;
			check_ledger();
			m().run(3 * ms);
			check_ledger();
		}
	}
}

TEST_F(control_test, errors_of_the_registry_are_told_apart_from_lack_of_memory)
{
	const auto nothing = [](void *, const nmiprof_nmi *) -> unsigned int { return 0; };

	for (int i = 0; i < 15; i++)
		ASSERT_GT(nmiprof_core_handler_add(("h" + std::to_string(i)).c_str(), nothing,
						   nullptr),
			  0);
	EXPECT_EQ(enable(), -28);
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	EXPECT_EQ(nmiprof_core_handler_remove(15), 0);
	ASSERT_EQ(nmiprof_core_handler_add("profile", nothing, nullptr), 15);
	EXPECT_EQ(nmiprof_core_handler_remove(14), 0);
	EXPECT_EQ(enable(), -17) << "the name is in use";
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	EXPECT_EQ(nmiprof_core_handler_remove(15), 0);
	EXPECT_EQ(enable(), 0);
}

TEST_F(control_test, one_cpu_is_told_that_it_is_blind)
{
	boot(1);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(m().notices.size(), 1u);
	EXPECT_NE(m().notices[0].find("blind"), std::string::npos);
	boot(2);
	ASSERT_EQ(set_cpus({1}), 0);
	ASSERT_EQ(enable(), 0);
	EXPECT_TRUE(m().notices.empty()) << "CPU 0 is the backup";
	ASSERT_EQ(offline(0), 0);
	EXPECT_EQ(m().notices.size(), 1u) << "now it is alone";
	ASSERT_EQ(set_rate(500), 0);
	EXPECT_EQ(m().notices.size(), 1u) << "once";
	ASSERT_EQ(online(0), 0);
	ASSERT_EQ(offline(0), 0);
	EXPECT_EQ(m().notices.size(), 2u) << "and again";
}

TEST_F(control_test, all_chosen_cpus_offline)
{
	ASSERT_EQ(set_cpus({2, 3}), 0);
	ASSERT_EQ(offline(2), 0);
	ASSERT_EQ(enable(), 0) << "one is left";
	disable();
	ASSERT_EQ(offline(3), 0);
	EXPECT_EQ(enable(), -19);
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	ASSERT_EQ(online(3), 0);
	EXPECT_EQ(enable(), 0);
}

// A setting that is not touched is not judged again.
TEST_F(control_test, the_rate_can_be_changed_while_a_chosen_cpu_is_offline)
{
	ASSERT_EQ(set_cpus({2, 3}), 0);
	ASSERT_EQ(offline(3), 0);
	EXPECT_EQ(set_rate(500), 0);
}

TEST_F(control_test, without_the_text_everything_is_counted_by_address)
{
	for (bool shared : {false, true}) {
		if (loaded)
			unload();
		m().text_known = false;
		load();
		ASSERT_EQ(set_layout(shared), 0);
		EXPECT_FALSE(m().notices.empty());
		ASSERT_EQ(enable(), 0) << "shared " << shared;
		tick_at(0, m().text_start);
		const contents c = drain();
		EXPECT_EQ(c.info.bins, 0u);
		EXPECT_EQ(c.at(m().text_start), 1u);
		check_ledger();
	}
}

// --- suspend ---

TEST_F(control_test, suspend_and_resume)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(50 * ms);
	suspend();
	check_ledger();
	const ledger paused = ledger_of_all();
	m().run(100 * ms);
	for (unsigned int i = 0; i < terms; i++)
		EXPECT_EQ(ledger_of_all().value[i], paused.value[i]) << term_names[i];
	EXPECT_EQ(nmiprof_core_enabled(), 1);
	resume();
	m().run(50 * ms);
	ledger after = ledger_of_all();
	EXPECT_NEAR(double(after[term::samples]), 2 * 4 * 48, 20);
	check_ledger();
}

TEST_F(control_test, a_list_that_is_offline_is_waited_for)
{
	ASSERT_EQ(set_cpus({3}), 0);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(offline(3), 0);
	ASSERT_EQ(set_rate(500), 0) << "sampling goes on, of nobody for now";
	suspend();
	resume();
	EXPECT_EQ(nmiprof_core_enabled(), 1);
	ASSERT_EQ(online(3), 0);
	m().run(100 * ms);
	EXPECT_NEAR(double(ledger_of(3)[term::samples]), 50, 3);
	check_ledger();
}

TEST_F(control_test, cpus_that_leave_the_list_keep_their_memory_within_the_limits)
{
	boot(4, 8 * mib, mib);
	ASSERT_EQ(set_granularity(16), -34) << "four do not fit";
	ASSERT_EQ(set_cpus({0, 1, 2}), 0);
	ASSERT_EQ(set_granularity(16), 0) << "three do";
	ASSERT_EQ(enable(), 0);
	const u64 bytes = nmiprof_core_buffer_bytes();

	for (unsigned int cpu = 0; cpu < 4; cpu++) {
		ASSERT_EQ(set_cpus({cpu}), 0);
		tick_at(cpu, m().text_start);
		EXPECT_LE(nmiprof_core_buffer_bytes(), bytes) << cpu;
	}
	const contents c = drain();
	EXPECT_EQ(c.at(m().text_start) + nmiprof_core_discarded(), 4u);
	check_ledger();
}

TEST_F(control_test, no_nmi_is_on_its_way_when_a_stop_returns)
{
	m().ipi_ns = 90 * us;
	ASSERT_EQ(set_rate(100'000), 0);
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(enable(), 0);
		m().run(1 * ms + u64(i) * 7 * us);
		i & 1 ? suspend() : disable();
		EXPECT_EQ(m().in_flight, 0u);
		EXPECT_EQ(ledger_of_all()[term::outstanding], 0u);
		EXPECT_EQ(ledger_of_all()[term::lost_timeout], 0u);
		check_ledger();
		if (i & 1) {
			resume();
			disable();
		}
	}
}

TEST_F(control_test, suspend_while_off)
{
	suspend();
	resume();
	m().run(10 * ms);
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	EXPECT_EQ(ledger_of_all()[term::due], 0u);
}

TEST_F(control_test, everything_may_change_during_suspend)
{
	ASSERT_EQ(set_rate(1000), 0);
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	suspend();
	ASSERT_EQ(offline(3), 0);
	ASSERT_EQ(offline(2), 0);
	ASSERT_EQ(set_rate(2000), 0);
	ASSERT_EQ(set_granularity(64), 0);
	m().run(10 * ms);
	ASSERT_EQ(online(2), 0);
	const u64 due = ledger_of_all()[term::due];
	m().run(10 * ms);
	EXPECT_EQ(ledger_of_all()[term::due], due) << "nothing falls due meanwhile";
	resume();
	const u64 of_2 = m().cpus[2].ticks, of_3 = m().cpus[3].ticks;
	m().run(50 * ms);
	EXPECT_NEAR(double(m().cpus[2].ticks - of_2), 98, 4);
	EXPECT_EQ(m().cpus[3].ticks, of_3);
	check_ledger();
}

TEST_F(control_test, enable_and_disable_during_suspend)
{
	suspend();
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	EXPECT_EQ(ledger_of_all()[term::due], 0u);
	resume();
	m().run(10 * ms);
	EXPECT_GT(ledger_of_all()[term::handled], 0u);
	suspend();
	disable();
	resume();
	const u64 handled = ledger_of_all()[term::handled];
	m().run(10 * ms);
	EXPECT_EQ(ledger_of_all()[term::handled], handled);
	check_ledger();
}

TEST_F(control_test, a_resume_without_memory_turns_sampling_off)
{
	ASSERT_EQ(enable(), 0);
	suspend();
	m().fail_allocation = 1;
	resume();
	EXPECT_FALSE(m().notices.empty());
	EXPECT_EQ(nmiprof_core_enabled(), 0);
	check_ledger();
	ASSERT_EQ(enable(), 0);
	const u64 handled = ledger_of_all()[term::handled];
	m().run(20 * ms);
	EXPECT_GT(ledger_of_all()[term::handled], handled);
	check_ledger();
}

// --- hotplug ---

TEST_F(control_test, hotplug_while_off_does_nothing)
{
	const u64 allocations = m().allocations;

	ASSERT_EQ(offline(1), 0);
	ASSERT_EQ(online(1), 0);
	EXPECT_EQ(m().allocations, allocations);
}

TEST_F(control_test, hotplug_without_memory)
{
	ASSERT_EQ(enable(), 0);
	m().run(5 * ms);
	m().fail_allocation = 1;
	EXPECT_EQ(offline(1), -12);
	m().run(5 * us);
	u64 ticks = m().cpus[1].ticks;
	m().run(10 * ms);
	EXPECT_GE(m().cpus[1].ticks - ticks, 8u) << "it goes on being sampled";
	ASSERT_EQ(offline(1), 0);
	for (u64 n = 1; n <= 2; n++) {
		m().fail_allocation = n;
		const int err = online(1);

		m().fail_allocation = 0;
		if (err) {
			EXPECT_EQ(err, -12);
			ticks = m().cpus[1].ticks;
			m().run(10 * ms);
			EXPECT_EQ(m().cpus[1].ticks, ticks);
		} else {
			m().run(10 * ms);
			ASSERT_EQ(offline(1), 0);
		}
		check_ledger();
	}
	ASSERT_EQ(online(1), 0);
	m().run(10 * ms);
	check_ledger();
}

TEST_F(control_test, a_cpu_that_is_not_chosen_comes_and_goes)
{
	ASSERT_EQ(set_cpus({0, 1}), 0);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(offline(3), 0);
	m().run(10 * ms);
	ASSERT_EQ(online(3), 0);
	m().run(10 * ms);
	EXPECT_EQ(m().cpus[3].ticks, 0u);
	check_ledger();
}

TEST_F(control_test, nmis_in_every_grace_period_of_a_life)
{
	u64 grace_periods = 0;

	m().in_grace_period = [&] {
		grace_periods++;
		for (unsigned int cpu = 0; cpu < 4; cpu++)
			if (m().cpus[cpu].online) {
				m().foreign_nmi(cpu, true);
				if (!request(cpu))
					m().run(1 * us);
			}
	};
	m().grace_period_ns = 3 * ms;
	ASSERT_EQ(enable(), 0);
	m().run(10 * ms);
	ASSERT_EQ(set_rate(3000), 0);
	ASSERT_EQ(set_granularity(256), 0);
	ASSERT_EQ(offline(2), 0);
	drain();
	ASSERT_EQ(online(2), 0);
	suspend();
	resume();
	ASSERT_EQ(set_cpus({1}), 0);
	ASSERT_EQ(set_all_cpus(), 0);
	disable();
	check_ledger();
	EXPECT_GE(grace_periods, 8u);
}
