// SPDX-License-Identifier: GPL-2.0-only
// The registry of NMI handlers (registry.hpp, handler_table.hpp; spec A).
#include "core_test.hpp"

#include <future>
#include <thread>

namespace {

// A handler that notes what it saw.
struct probe {
	unsigned int claims = 0; // what it returns
	u64 takes_ns = 0;
	unsigned int runs = 0, foreign_runs = 0;
	nmiprof_nmi last = {};
	std::vector<probe *> *order = nullptr;
};

unsigned int run_probe(void *context, const nmiprof_nmi *nmi)
{
	probe &p = *static_cast<probe *>(context);

	p.runs++;
	p.foreign_runs += (nmi->how & NMIPROF_FOREIGN) != 0;
	p.last = {nmi->regs, nmi->ip, nmi->how, nmi->sender};
	sim::machine::the().extra_cycles += p.takes_ns * sim::cycles_per_ns;
	if (p.order)
		p.order->push_back(&p);
	return p.claims;
}

unsigned int other_function(void *context, const nmiprof_nmi *nmi)
{
	return run_probe(context, nmi);
}

class registry_test : public core_test {
      protected:
	int add(const char *name, probe &p)
	{
		return nmiprof_core_handler_add(name, run_probe, &p);
	}
	nmiprof_handler_stats stats(unsigned int number, unsigned int cpu = 0)
	{
		nmiprof_handler_stats s = {};

		EXPECT_EQ(nmiprof_core_handler_stats(number, cpu, &s), 0);
		return s;
	}
	std::string name(unsigned int number)
	{
		char text[64] = "?";

		return nmiprof_core_handler_name(number, text, sizeof(text)) ? "" : text;
	}
};

} // namespace

TEST_F(registry_test, the_default_handler_claims_nothing_and_is_counted)
{
	m().foreign_nmi(0);
	m().foreign_nmi(0);
	EXPECT_EQ(m().cpus[0].unknown_foreign, 2u);
	EXPECT_EQ(stats(0).invocations, 2u);
	EXPECT_EQ(stats(0).claims, 0u);
	EXPECT_EQ(stats(0, 1).invocations, 0u) << "counts are per CPU";
	EXPECT_EQ(name(0), "default");
	EXPECT_EQ(m().live_objects(), 0u);
}

TEST_F(registry_test, a_handler_gets_its_context_and_the_nmi)
{
	probe p;

	ASSERT_EQ(add("probe", p), 1);
	m().cpus[2].where = {0x1234, NMIPROF_USER};
	m().foreign_nmi(2);
	EXPECT_EQ(p.runs, 1u);
	EXPECT_EQ(p.last.ip, 0x1234u);
	EXPECT_EQ(p.last.how, u32{NMIPROF_USER} | u32{NMIPROF_FOREIGN});
	EXPECT_EQ(m().cpus[2].unknown_foreign, 1u);
	EXPECT_EQ(stats(0, 2).invocations, 0u) << "the default handler is out of the way";
}

TEST_F(registry_test, a_claim_ends_the_nmi_and_is_counted_exactly)
{
	probe p;

	p.claims = 3;
	ASSERT_EQ(add("probe", p), 1);
	m().foreign_nmi(1);
	m().foreign_nmi(1);
	EXPECT_EQ(m().cpus[1].unknown_foreign, 0u);
	EXPECT_EQ(stats(1, 1).invocations, 2u);
	EXPECT_EQ(stats(1, 1).claims, 6u);
	EXPECT_EQ(stats(1, 0).invocations, 0u);
}

TEST_F(registry_test, several_handlers_run_in_order_of_number_whoever_claims)
{
	std::vector<probe *> order;
	probe a, b, c;

	a.order = b.order = c.order = &order;
	b.claims = 1;
	EXPECT_EQ(add("a", a), 1);
	EXPECT_EQ(add("b", b), 2);
	EXPECT_EQ(add("c", c), 3);
	m().foreign_nmi(0);
	EXPECT_EQ(order, (std::vector<probe *>{&a, &b, &c}));
	EXPECT_EQ(m().cpus[0].unknown_foreign, 0u);
}

TEST_F(registry_test, the_longest_run_is_that_of_each_handler)
{
	probe a, b;

	a.takes_ns = 700;
	b.takes_ns = 300;
	ASSERT_EQ(add("a", a), 1);
	ASSERT_EQ(add("b", b), 2);
	m().foreign_nmi(0);
	EXPECT_EQ(stats(1).longest_ns, 700u);
	EXPECT_EQ(stats(2).longest_ns, 300u);
	a.takes_ns = 100;
	b.takes_ns = 900;
	m().foreign_nmi(0);
	EXPECT_EQ(stats(1).longest_ns, 700u);
	EXPECT_EQ(stats(2).longest_ns, 900u);
}

TEST_F(registry_test, the_longest_run_survives_the_cycle_counter_coming_round)
{
	probe p;

	p.takes_ns = 5000;
	ASSERT_EQ(add("p", p), 1);
	m().extra_cycles = 0xffffffff - (m().now * sim::cycles_per_ns & 0xffffffff) - 100;
	m().foreign_nmi(0);
	EXPECT_EQ(stats(1).longest_ns, 5000u);
}

TEST_F(registry_test, names)
{
	probe p;
	const std::string longest(31, 'x'), too_long(32, 'x');

	EXPECT_EQ(add("", p), -22);
	EXPECT_EQ(nmiprof_core_handler_add(nullptr, run_probe, &p), -22);
	EXPECT_EQ(nmiprof_core_handler_add("name", nullptr, &p), -22);
	EXPECT_EQ(add(too_long.c_str(), p), -22);
	EXPECT_EQ(add(longest.c_str(), p), 1);
	EXPECT_EQ(name(1), longest);
	EXPECT_EQ(add(longest.c_str(), p), -17);
	EXPECT_EQ(add("xx", p), 2) << "a prefix of another name is another name";
	EXPECT_EQ(name(3), "");
	EXPECT_EQ(name(16), "");
	EXPECT_EQ(name(~0u), "");

	char small[3] = {'?', '?', '?'};
	EXPECT_EQ(nmiprof_core_handler_name(1, small, 3), 0);
	EXPECT_STREQ(small, "xx");
	EXPECT_EQ(nmiprof_core_handler_name(1, small, 0), -2);
}

TEST_F(registry_test, refusals_change_nothing)
{
	probe p;
	const u64 grace_periods = m().grace_periods;

	EXPECT_EQ(add("", p), -22);
	EXPECT_EQ(nmiprof_core_handler_replace(1, run_probe, &p), -2);
	EXPECT_EQ(nmiprof_core_handler_replace(0, run_probe, &p), -2) << "the default one stays";
	EXPECT_EQ(nmiprof_core_handler_replace(16, run_probe, &p), -2);
	EXPECT_EQ(nmiprof_core_handler_remove(0), -2);
	EXPECT_EQ(nmiprof_core_handler_remove(1), -2);
	EXPECT_EQ(nmiprof_core_handler_remove(~0u), -2);
	EXPECT_EQ(m().live_objects(), 0u);
	EXPECT_EQ(m().grace_periods, grace_periods);

	ASSERT_EQ(add("p", p), 1);
	EXPECT_EQ(nmiprof_core_handler_replace(1, nullptr, &p), -22);
	m().foreign_nmi(0);
	EXPECT_EQ(p.runs, 1u);
}

TEST_F(registry_test, fifteen_handlers_and_no_more)
{
	std::vector<probe> probes(15);
	probe extra;

	for (unsigned int i = 0; i < 15; i++)
		ASSERT_EQ(add(("p" + std::to_string(i)).c_str(), probes[i]), int(i + 1));
	EXPECT_EQ(add("extra", extra), -28);
	m().foreign_nmi(3);
	for (unsigned int i = 0; i < 15; i++) {
		EXPECT_EQ(probes[i].runs, 1u);
		EXPECT_EQ(stats(i + 1, 3).invocations, 1u);
	}
	EXPECT_EQ(extra.runs, 0u);
	EXPECT_EQ(nmiprof_core_handler_remove(7), 0);
	EXPECT_EQ(add("extra", extra), 7) << "a free number is used again";
	m().foreign_nmi(3);
	EXPECT_EQ(extra.runs, 1u);
	EXPECT_EQ(probes[6].runs, 1u);
	EXPECT_EQ(stats(7, 3).invocations, 1u) << "its counts start afresh";
	EXPECT_EQ(stats(8, 3).invocations, 2u);
}

TEST_F(registry_test, removing_the_last_one_puts_the_default_back)
{
	probe p;

	ASSERT_EQ(add("p", p), 1);
	EXPECT_EQ(nmiprof_core_handler_remove(1), 0);
	m().foreign_nmi(0);
	EXPECT_EQ(p.runs, 0u);
	EXPECT_EQ(stats(0).invocations, 1u);
	EXPECT_EQ(m().cpus[0].unknown_foreign, 1u);
	EXPECT_EQ(m().live_objects(), 0u) << "no table is left behind";
}

TEST_F(registry_test, removal_waits_and_until_then_an_nmi_sees_no_mix)
{
	probe a, b;
	unsigned int waits = 0;

	ASSERT_EQ(add("a", a), 1);
	ASSERT_EQ(add("b", b), 2);
	m().in_grace_period = [&] {
		waits++;
		m().foreign_nmi(0);
	};
	EXPECT_EQ(nmiprof_core_handler_remove(1), 0);
	EXPECT_EQ(waits, 1u);
	EXPECT_EQ(a.runs, 0u);
	EXPECT_EQ(b.runs, 1u);
	EXPECT_EQ(nmiprof_core_handler_remove(2), 0);
	EXPECT_EQ(waits, 2u);
	EXPECT_EQ(b.runs, 1u);
	EXPECT_EQ(stats(0).invocations, 1u) << "never a moment without a handler";
}

TEST_F(registry_test, replace_changes_function_and_context_together)
{
	probe before, after;

	ASSERT_EQ(add("p", before), 1);
	m().foreign_nmi(0);
	m().in_grace_period = [&] { m().foreign_nmi(1); };
	EXPECT_EQ(nmiprof_core_handler_replace(1, other_function, &after), 0);
	m().foreign_nmi(2);
	EXPECT_EQ(before.runs, 1u);
	EXPECT_EQ(after.runs, 2u);
	EXPECT_EQ(name(1), "p");
	EXPECT_EQ(stats(1, 0).invocations, 1u);
	EXPECT_EQ(stats(1, 1).invocations, 1u);
}

// An NMI that lasts: it holds the old table while the updater publishes the new one
// and waits. Spec A2, A3.
TEST_F(registry_test, the_old_data_lives_until_the_nmi_that_uses_it_has_returned)
{
	struct slow {
		std::promise<void> entered, may_leave;
		std::unique_ptr<int> data = std::make_unique<int>(1);
		int seen = 0;

		static unsigned int run(void *context, const nmiprof_nmi *)
		{
			slow &s = *static_cast<slow *>(context);

			s.entered.set_value();
			s.may_leave.get_future().wait();
			s.seen = *s.data;
			return 1;
		}
	} old;
	probe second, fresh;
	bool waited = false;

	fresh.claims = 1;
	ASSERT_EQ(nmiprof_core_handler_add("slow", slow::run, &old), 1);
	ASSERT_EQ(add("second", second), 2);
	std::thread nmi([&] {
		sim::in_context level(sim::context::nmi);

		EXPECT_EQ(nmiprof_core_on_nmi(&state(0), nullptr, 0, 0), 1);
	});
	old.entered.get_future().wait();
	m().in_grace_period = [&] {
		waited = true;
		EXPECT_EQ(old.seen, 0);
		m().foreign_nmi(1); // another CPU: wholly new
		EXPECT_EQ(fresh.runs, 1u);
		EXPECT_EQ(second.runs, 1u);
		old.may_leave.set_value();
		nmi.join(); // and the one under way: wholly old
		EXPECT_EQ(second.runs, 2u);
		EXPECT_EQ(fresh.runs, 1u);
	};
	EXPECT_EQ(nmiprof_core_handler_replace(1, run_probe, &fresh), 0);
	old.data.reset();
	EXPECT_TRUE(waited) << "replace() did not wait for a grace period";
	EXPECT_EQ(old.seen, 1);
	if (!waited) {
		old.may_leave.set_value();
		nmi.join();
	}
	m().in_grace_period = nullptr;
}

TEST_F(registry_test, no_memory_changes_nothing)
{
	probe a, b;

	for (u64 n = 1; n <= 2; n++) {
		m().fail_allocation = n;
		EXPECT_EQ(add("a", a), -12) << n;
		m().foreign_nmi(0);
		EXPECT_EQ(a.runs, 0u);
		EXPECT_EQ(name(1), "");
	}
	EXPECT_EQ(m().live_objects(), 0u);
	ASSERT_EQ(add("a", a), 1);
	m().fail_allocation = 1;
	EXPECT_EQ(add("b", b), -12);
	m().fail_allocation = 1;
	EXPECT_EQ(nmiprof_core_handler_replace(1, other_function, &b), -12);
	m().foreign_nmi(0);
	EXPECT_EQ(a.runs, 1u);
	EXPECT_EQ(b.runs, 0u);
}

TEST_F(registry_test, removal_needs_no_memory_in_any_order)
{
	const std::vector<std::vector<unsigned int>> orders = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
							       {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};

	for (const auto &order : orders) {
		probe p[3];

		for (int i = 0; i < 3; i++)
			ASSERT_EQ(add(("p" + std::to_string(i)).c_str(), p[i]), i + 1);
		m().fail_allocations = true;
		for (unsigned int number : order) {
			EXPECT_EQ(nmiprof_core_handler_remove(number), 0);
			EXPECT_EQ(name(number), "");
		}
		m().fail_allocations = false;
		EXPECT_EQ(m().live_objects(), 0u);
	}
}

TEST_F(registry_test, removals_between_adds_never_run_out_of_the_spare)
{
	std::vector<probe> p(15);
	std::vector<bool> used(15);
	unsigned int random = 1;

	for (int step = 0; step < 2000; step++) {
		random = random * 1664525 + 1013904223;
		const unsigned int i = (random >> 16) % 15;

		if (used[i]) {
			m().fail_allocations = true;
			ASSERT_EQ(nmiprof_core_handler_remove(i + 1), 0);
			m().fail_allocations = false;
			used[i] = false;
		} else {
			// The lowest free number is taken.
			const unsigned int lowest = static_cast<unsigned int>(
				std::find(used.begin(), used.end(), false) - used.begin());
			ASSERT_EQ(add(("p" + std::to_string(lowest)).c_str(), p[lowest]),
				  int(lowest + 1));
			used[lowest] = true;
		}
		for (probe &q : p)
			q.runs = 0;
		m().foreign_nmi(0);
		for (unsigned int k = 0; k < 15; k++)
			ASSERT_EQ(p[k].runs, used[k]) << "step " << step << " handler " << k;
		ASSERT_LE(m().live_objects(), 2u);
	}
}

TEST_F(registry_test, statistics_of_what_does_not_exist)
{
	nmiprof_handler_stats s;

	EXPECT_EQ(nmiprof_core_handler_stats(1, 0, &s), -2);
	EXPECT_EQ(nmiprof_core_handler_stats(16, 0, &s), -2);
	EXPECT_EQ(nmiprof_core_handler_stats(0, 4, &s), -2);
	EXPECT_EQ(nmiprof_core_max_handlers(), 16u);
}

TEST_F(registry_test, the_profile_runs_beside_other_handlers_and_both_are_counted)
{
	probe before, after;

	ASSERT_EQ(add("before", before), 1);
	ASSERT_EQ(enable(), 0);
	ASSERT_EQ(add("after", after), 3);
	EXPECT_EQ(name(2), "profile");
	tick_at(0, m().text_start);
	m().foreign_nmi(0);
	EXPECT_EQ(before.runs, 2u);
	EXPECT_EQ(after.runs, 2u);
	EXPECT_EQ(before.foreign_runs, 1u);
	EXPECT_EQ(stats(2).invocations, 2u);
	EXPECT_EQ(stats(2).claims, 1u) << "the profile claims ticks only";
	EXPECT_EQ(look().info.samples, 1u);
}

// The profile alone and the profile among others take different ways through the NMI:
// counts are the same.
TEST_F(registry_test, the_counts_of_the_profile_are_exact_on_every_way)
{
	probe other;
	u64 ticks = 0, foreign = 0;

	ASSERT_EQ(enable(), 0);
	for (int round = 0; round < 4; round++) {
		int number = 0;

		if (round & 1) {
			number = add("other", other);
			ASSERT_GT(number, 0);
		}
		for (u32 how : {0, 0 | NMIPROF_IRQS_OFF, 0 | NMIPROF_USER, 0 | NMIPROF_IDLE})
			for (u64 ip : {m().text_start, m().text_end - 1, m().text_end, u64{0}}) {
				tick_at(0, ip, how);
				ticks++;
			}
		m().run(1 * ms);
		m().foreign_nmi(0);
		foreign++;
		if (number) {
			ASSERT_EQ(nmiprof_core_handler_remove(number), 0);
		}
		ticks = m().cpus[0].ticks;
		EXPECT_EQ(stats(1).invocations, ticks + foreign);
		EXPECT_EQ(stats(1).claims, ticks);
	}
	EXPECT_EQ(m().cpus[0].unknown_foreign, foreign);
	check_ledger();
}

TEST_F(registry_test, handlers_beside_the_profile_see_our_ticks_as_not_foreign)
{
	probe p;

	ASSERT_EQ(enable(), 0);
	ASSERT_GT(add("p", p), 0);
	tick_at(1, 0x1234, NMIPROF_USER);
	EXPECT_EQ(p.runs, 1u);
	EXPECT_EQ(p.foreign_runs, 0u);
	EXPECT_EQ(p.last.ip, 0x1234u);
	EXPECT_EQ(p.last.how, u32{NMIPROF_USER});
}

// The longest run of the profile is measured on the straight way, too.
TEST_F(registry_test, what_an_earlier_handler_takes_is_not_the_profiles)
{
	probe slow;

	slow.takes_ns = 40'000;
	ASSERT_EQ(add("slow", slow), 1);
	ASSERT_EQ(enable(), 0);
	tick_at(0, m().text_start);
	EXPECT_EQ(stats(1).longest_ns, 40'000u);
	EXPECT_LT(stats(2).longest_ns, 1'000u);
}
