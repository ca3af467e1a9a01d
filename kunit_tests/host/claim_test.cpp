// SPDX-License-Identifier: GPL-2.0-only
// Whose NMI is it? (claim.hpp, nmi_entry.cpp; spec A5, C5)
#include "core_test.hpp"

using nmiprof::claim_flag;
using nmiprof::claim_state;

namespace {

class claim_test : public core_test {
      protected:
	sim::cpu &c(unsigned int cpu = 0)
	{
		return m().cpus[cpu];
	}
	// Ours is sent, and somebody else's NMI comes first and uses up the flag.
	void overtake(unsigned int cpu = 0)
	{
		m().ipi_ns = 20 * us;
		ASSERT_EQ(request(cpu), 0);
		m().run(5 * us);
		m().foreign_nmi(cpu, true);
		ASSERT_EQ(c(cpu).ticks, 1u);
	}
};

constexpr u64 window = nmiprof::late_window_us * us;

} // namespace

TEST_F(claim_test, the_flag)
{
	claim_flag flag;
	in_irq irq;

	EXPECT_FALSE(flag.outstanding());
	EXPECT_TRUE(flag.try_set(irq.token, claim_state::asked));
	EXPECT_TRUE(flag.outstanding());
	EXPECT_FALSE(flag.try_set(irq.token, claim_state::asked));
	EXPECT_FALSE(flag.try_set(irq.token, claim_state::asked_by_self));
	{
		in_nmi nmi;
		EXPECT_EQ(flag.pending(nmi.token), claim_state::asked);
		flag.clear(nmi.token);
		EXPECT_EQ(flag.pending(nmi.token), claim_state::free);
	}
	EXPECT_TRUE(flag.try_set(irq.token, claim_state::asked_by_self));
	{
		in_nmi nmi;
		EXPECT_EQ(flag.pending(nmi.token), claim_state::asked_by_self);
	}
	EXPECT_TRUE(flag.outstanding());
}

TEST_F(claim_test, reset_tells_whether_one_was_outstanding)
{
	claim_flag flag;
	const auto &sleep = entry::process();

	EXPECT_FALSE(flag.reset(sleep));
	for (claim_state asked : {claim_state::asked, claim_state::asked_by_self}) {
		{
			in_irq irq;
			ASSERT_TRUE(flag.try_set(irq.token, asked));
		}
		EXPECT_TRUE(flag.reset(sleep));
		EXPECT_FALSE(flag.outstanding());
		EXPECT_FALSE(flag.reset(sleep));
	}
}

TEST_F(claim_test, an_nmi_of_ours_is_claimed_once)
{
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(ledger_of(0)[term::outstanding], 1u);
	m().run(1 * us);
	EXPECT_EQ(c().ticks, 1u);
	EXPECT_EQ(ledger_of(0)[term::outstanding], 0u);
	EXPECT_EQ(ledger_of(0)[term::handled], 1u);
	check_ledger();
}

// S1 before S2: the flag is up when the NMI arrives, however fast.
TEST_F(claim_test, the_flag_is_set_before_the_nmi_is_sent)
{
	bool set = false;

	m().ipi_ns = 0;
	m().on_send = [&](unsigned int cpu) { set = state(cpu).claim.outstanding(); };
	ASSERT_EQ(request(1), 0);
	EXPECT_TRUE(set);
	EXPECT_EQ(c(1).ticks, 1u);
	EXPECT_EQ(c(1).unknown_ours, 0u);
	check_ledger();
}

// T4 comes last: while handlers run nobody can send a second one.
TEST_F(claim_test, the_flag_stays_up_while_handlers_run)
{
	struct seen {
		nmiprof_cpu *cpu;
		bool outstanding = false, again_possible = true;
	} s = {&state(0)};

	ASSERT_GT(nmiprof_core_handler_add(
			  "look",
			  [](void *context, const nmiprof_nmi *) -> unsigned int {
				  seen &look = *static_cast<seen *>(context);
				  in_irq another_cpu;

				  look.outstanding = look.cpu->claim.outstanding();
				  look.again_possible = look.cpu->claim.try_set(another_cpu.token,
										claim_state::asked);
				  return 0;
			  },
			  &s),
		  0);
	ASSERT_EQ(request(0), 0);
	m().run(1 * us);
	EXPECT_TRUE(s.outstanding);
	EXPECT_FALSE(s.again_possible);
	EXPECT_FALSE(state(0).claim.outstanding());
}

TEST_F(claim_test, a_second_request_is_coalesced_while_one_is_outstanding)
{
	m().deafen(0);
	ASSERT_EQ(request(0), 0);
	m().run(10 * us);
	ASSERT_EQ(request(0), 0);
	m().run(10 * us);
	EXPECT_EQ(c().sent, 1u);
	EXPECT_EQ(ledger_of(0)[term::coalesced], 1u);
	m().undeafen(0);
	EXPECT_EQ(c().ticks, 1u);
	ASSERT_EQ(request(0), 0);
	m().run(10 * us);
	EXPECT_EQ(c().ticks, 2u);
	EXPECT_EQ(c().merged, 0u) << "none of ours was latched behind another of ours";
	check_ledger();
}

TEST_F(claim_test, a_foreign_nmi_is_nobodys_but_is_counted)
{
	m().foreign_nmi(0);
	m().foreign_nmi(0, true);
	EXPECT_EQ(c().unknown_foreign, 1u);
	EXPECT_EQ(ledger_of(0)[term::foreign], 2u);
	EXPECT_EQ(ledger_of(0)[term::handled], 0u);
	check_ledger();
}

TEST_F(claim_test, an_nmi_overtaken_by_a_foreign_one_is_claimed_as_late)
{
	overtake();
	m().run(20 * us);
	EXPECT_EQ(c().late, 1u);
	EXPECT_EQ(c().unknown_ours, 0u);
	EXPECT_EQ(ledger_of(0)[term::late], 1u);
	EXPECT_EQ(ledger_of(0)[term::handled], 1u);
	check_ledger();
}

TEST_F(claim_test, a_late_nmi_is_credited_once)
{
	overtake();
	m().run(20 * us);
	m().foreign_nmi(0);
	EXPECT_EQ(c().late, 1u);
	EXPECT_EQ(c().unknown_foreign, 1u) << "the second unknown NMI is not ours";
}

TEST_F(claim_test, without_a_tick_before_there_is_no_credit)
{
	m().foreign_nmi(0);
	EXPECT_EQ(c().late, 0u);
	EXPECT_EQ(c().unknown_foreign, 1u);
}

TEST_F(claim_test, the_window_is_open_to_its_last_nanosecond)
{
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	m().run(window);
	m().foreign_nmi(0);
	EXPECT_EQ(c().late, 1u);
}

// Spec A5: nobody else's NMI is swallowed. Each unknown NMI passes our local handler
// first, which must not open the window again.
TEST_F(claim_test, after_the_window_a_foreign_nmi_reaches_the_kernel)
{
	m().ipi_ns = 0;
	for (u64 after : {window + 1, 200 * us, 1 * ms, 10 * ms, 400 * ms, 2 * second}) {
		const u64 unknown = c().unknown_foreign, late = c().late;

		ASSERT_EQ(request(0), 0);
		m().run(after);
		m().foreign_nmi(0);
		EXPECT_EQ(c().unknown_foreign, unknown + 1) << after << " ns after the tick";
		EXPECT_EQ(c().late, late) << after << " ns after the tick";
	}
	check_ledger();
}

TEST_F(claim_test, the_cycle_counter_coming_round_does_not_open_the_window)
{
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	m().run((1ULL << 32) / sim::cycles_per_ns + 1);
	m().foreign_nmi(0);
	EXPECT_EQ(c().unknown_foreign, 1u);
	m().run(1 * second);
	ASSERT_EQ(request(0), 0);
	m().run(1ULL << 32); // three times round
	m().foreign_nmi(0);
	EXPECT_EQ(c().unknown_foreign, 2u);
}

// The window counts from the end of the handlers too: they may take longer than it.
TEST_F(claim_test, the_window_opens_when_slow_handlers_end)
{
	ASSERT_GT(nmiprof_core_handler_add(
			  "slow",
			  [](void *context, const nmiprof_nmi *) -> unsigned int {
				  sim::machine &machine = *static_cast<sim::machine *>(context);

				  if (machine.cpus[0].ticks == 0)
					  machine.now += 3 * window;
				  return 0;
			  },
			  &m()),
		  0);
	ASSERT_EQ(request(0), 0); // sent, and noted as sent, long before they end
	m().run(1 * us);
	ASSERT_EQ(c().ticks, 1u);
	m().run(window / 2);
	m().foreign_nmi(0);
	EXPECT_EQ(c().late, 1u);
}

// What comes after T1 does not close it: other handlers, and the kernel's own look for
// somebody to whom the NMI belongs, which is slow.
TEST_F(claim_test, handlers_that_are_slow_on_a_late_one_do_not_close_the_window)
{
	ASSERT_GT(nmiprof_core_handler_add(
			  "slow",
			  [](void *context, const nmiprof_nmi *nmi) -> unsigned int {
				  if (nmi->how & NMIPROF_FOREIGN)
					  static_cast<sim::machine *>(context)->now += 3 * window;
				  return 0;
			  },
			  &m()),
		  0);
	overtake();
	m().run(20 * us);
	EXPECT_EQ(c().late, 1u);
	EXPECT_EQ(c().unknown_ours, 0u);
	check_ledger();
}

TEST_F(claim_test, while_a_send_is_under_way_a_late_one_is_expected)
{
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	m().run(1 * second);
	// Somebody else's NMI uses up the flag between S1 and S2; ours then finds it
	// clear, long after the last send.
	m().on_send = [&](unsigned int cpu) {
		m().on_send = nullptr;
		m().foreign_nmi(cpu, true);
	};
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(c().ticks, 2u);
	EXPECT_EQ(c().late, 1u);
	EXPECT_EQ(c().unknown_ours, 0u);
	check_ledger();
}

TEST_F(claim_test, two_causes_in_one_nmi_are_one_tick)
{
	m().deafen(0);
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	m().foreign_nmi(0, true);
	EXPECT_EQ(c().merged, 1u);
	m().undeafen(0);
	EXPECT_EQ(c().nmis, 1u);
	EXPECT_EQ(c().ticks, 1u);
	EXPECT_FALSE(state(0).claim.outstanding());
	check_ledger();
}

TEST_F(claim_test, a_foreign_nmi_after_ours_in_the_same_handler_is_not_swallowed)
{
	// Latched while ours is handled: it is delivered by itself, right behind.
	m().before_nmi = [&](unsigned int cpu) {
		m().before_nmi = nullptr;
		m().foreign_nmi(cpu, true);
	};
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(c().nmis, 2u);
	EXPECT_EQ(c().ticks, 1u);
	EXPECT_EQ(ledger_of(0)[term::foreign], 1u);
	check_ledger();
}

TEST_F(claim_test, self_sent_nmis_show_what_the_timer_interrupted)
{
	nmiprof_nmi seen = {};

	boot(1);
	ASSERT_GT(nmiprof_core_handler_add(
			  "look",
			  [](void *context, const nmiprof_nmi *nmi) -> unsigned int {
				  *static_cast<nmiprof_nmi *>(context) = {nmi->regs, nmi->ip,
									  nmi->how, nmi->sender};
				  return 0;
			  },
			  &seen),
		  0);
	m().ipi_ns = 0;
	m().cpus[0].where = {m().text_start + 0x40, 0};
	ASSERT_EQ(enable(), 0);
	m().run(5 * ms);
	EXPECT_GT(c().ticks, 1u);
	EXPECT_EQ(seen.ip, m().text_start + 0x40);
	EXPECT_EQ(seen.how, 0u);
	EXPECT_EQ(look().at(m().text_start + 0x40), c().ticks);
	check_ledger();
}

TEST_F(claim_test, a_request_shows_what_the_nmi_interrupted)
{
	ASSERT_EQ(enable(), 0);
	tick_at(0, m().text_start + 0x80, NMIPROF_IRQS_OFF);
	EXPECT_EQ(look().irqs_off_at(m().text_start + 0x80), 1u);
}

TEST_F(claim_test, an_nmi_unseen_for_a_second_is_lost_and_sent_again)
{
	c().lose = 1;
	ASSERT_EQ(request(0), 0);
	m().run(second - 1);
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(ledger_of(0)[term::lost_timeout], 0u);
	EXPECT_EQ(ledger_of(0)[term::coalesced], 1u);
	m().run(1);
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(ledger_of(0)[term::lost_timeout], 1u);
	m().run(1 * us);
	EXPECT_EQ(c().ticks, 1u);
	EXPECT_EQ(c().unknown_ours, 0u);
	check_ledger();
}

TEST_F(claim_test, one_given_up_that_arrives_after_all_is_no_unknown_nmi)
{
	// Both arrive: the latch makes one of them, as on x86.
	m().deafen(0);
	m().ipi_ns = 0;
	ASSERT_EQ(request(0), 0);
	m().run(2 * second);
	ASSERT_EQ(request(0), 0);
	EXPECT_EQ(c().merged, 1u);
	m().undeafen(0);
	EXPECT_EQ(c().ticks, 1u);
	EXPECT_EQ(ledger_of(0)[term::lost_timeout], 1u);
	check_ledger();
}
