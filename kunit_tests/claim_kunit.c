// SPDX-License-Identifier: GPL-2.0-only
/* Whose NMI is it? The claim flag, and the protocol around it (cxx_core/claim.hpp). */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include <asm/nmi.h>

#include "glue_kunit.h"
#include "shim/nmi.h"
#include "support_kunit.h"

/* --- The flag alone --------------------------------------------------------- */

static struct kt_claim *flag;
static atomic_t winners, ready;
static int go;

static void set_when_told(void *arg)
{
	int *seen = arg;
	const int round = READ_ONCE(go);
	unsigned long flags;

	if (round == *seen)
		return;
	*seen = round;
	local_irq_save(flags);
	if (kt_claim_try_set(flag))
		atomic_inc(&winners);
	local_irq_restore(flags);
	atomic_inc(&ready);
}

static void one_of_many_sets_it(struct kunit *test)
{
	static int seen[NR_CPUS];
	int round, n = 0;
	unsigned int cpu;

	flag = kt_claim_new();
	KUNIT_ASSERT_NOT_NULL(test, flag);
	WRITE_ONCE(go, 0);
	for_each_online_cpu(cpu) {
		seen[cpu] = 0;
		KUNIT_ASSERT_EQ(test, kt_thread(cpu, set_when_told, &seen[cpu]), 0);
		n++;
	}
	for (round = 1; round <= 100; round++) {
		ktime_t end = ktime_add_ms(ktime_get(), 1000);

		atomic_set(&winners, 0);
		atomic_set(&ready, 0);
		WRITE_ONCE(go, round);
		while (atomic_read(&ready) < n && !ktime_after(ktime_get(), end))
			cond_resched();
		KUNIT_EXPECT_EQ(test, atomic_read(&ready), n);
		KUNIT_EXPECT_EQ(test, atomic_read(&winners), 1);
		KUNIT_EXPECT_TRUE(test, kt_claim_outstanding(flag));
		KUNIT_EXPECT_TRUE(test, kt_claim_reset(flag));
		KUNIT_EXPECT_FALSE(test, kt_claim_reset(flag));
	}
	kt_threads_stop();
	kt_free(flag);
}

struct in_nmi {
	int pending, then;
};

static void look_and_clear(void *arg)
{
	struct in_nmi *in = arg;

	in->pending = kt_claim_pending(flag);
	kt_claim_clear(flag);
	in->then = kt_claim_pending(flag);
}

static void the_target_sees_and_clears_it(struct kunit *test)
{
	struct in_nmi in = { };
	unsigned long flags;
	int won;

	flag = kt_claim_new();
	KUNIT_ASSERT_NOT_NULL(test, flag);
	local_irq_save(flags);
	won = kt_claim_try_set(flag);
	local_irq_restore(flags);
	KUNIT_EXPECT_TRUE(test, won);
	KUNIT_EXPECT_EQ(test, kt_in_nmi(2, look_and_clear, &in), 0);
	KUNIT_EXPECT_EQ(test, in.pending, 1);
	KUNIT_EXPECT_EQ(test, in.then, 0);
	KUNIT_EXPECT_FALSE(test, kt_claim_outstanding(flag));
	kt_free(flag);
}

/* --- Ticks ------------------------------------------------------------------ */

static atomic_long_t ticks;

static unsigned int slow(void *context, const struct nmiprof_nmi *nmi)
{
	if (nmi->how & NMIPROF_FOREIGN)
		return 0;
	atomic_long_inc(&ticks);
	/* lint: USLEEP_RANGE: an NMI handler cannot sleep */
	udelay(200);
	return 0;
}

static void ask(void *unused)
{
	int i;

	for (i = 0; i < 100; i++)
		nmiprof_sample(3);
}

static void at_most_one_is_outstanding(struct kunit *test)
{
	struct kt_ledger was, is;
	int number;

	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");
	atomic_long_set(&ticks, 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(3, &was), 0);
	number = kt_handler_add("slow", slow, NULL);
	KUNIT_ASSERT_GT(test, number, 0);
	KUNIT_ASSERT_EQ(test, kt_thread(0, ask, NULL), 0);
	KUNIT_ASSERT_EQ(test, kt_thread(1, ask, NULL), 0);
	kt_sleep(200);
	kt_threads_stop();
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(3, &is), 0);
	KUNIT_EXPECT_EQ(test, is.sent - was.sent, (shim_u64)atomic_long_read(&ticks));
	KUNIT_EXPECT_EQ(test, is.handled - was.handled, is.sent - was.sent);
	KUNIT_EXPECT_GT(test, is.coalesced - was.coalesced, is.sent - was.sent);
	KUNIT_EXPECT_EQ(test, is.lost, was.lost);
	/* A second one of ours, latched behind the first, would have come as an unknown one. */
	KUNIT_EXPECT_EQ(test, is.late, was.late);
	KT_EXPECT_BALANCED(test);
}

static int entered, asked;

static unsigned int wait_for_second(void *context, const struct nmiprof_nmi *nmi)
{
	if (smp_processor_id() != 1 || READ_ONCE(entered))
		return 0;
	kt_tell(&entered);
	kt_spin_until(&asked, 1000);
	return 0;
}

static void the_flag_is_up_while_handlers_run(struct kunit *test)
{
	struct kt_ledger was, is;
	int number;

	KUNIT_ASSERT_TRUE(test, kt_quiet());
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	WRITE_ONCE(entered, 0);
	WRITE_ONCE(asked, 0);
	number = kt_handler_add("wait", wait_for_second, NULL);
	KUNIT_ASSERT_GT(test, number, 0);
	KUNIT_EXPECT_EQ(test, nmiprof_sample(1), 0);
	KUNIT_EXPECT_TRUE(test, kt_spin_until(&entered, 1000));
	KUNIT_EXPECT_EQ(test, nmiprof_sample(1), 0);
	kt_tell(&asked);
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &is), 0);
	KUNIT_EXPECT_EQ(test, is.due - was.due, 2UL);
	KUNIT_EXPECT_EQ(test, is.sent - was.sent, 1UL);
	KUNIT_EXPECT_EQ(test, is.handled - was.handled, 1UL);
	KUNIT_EXPECT_EQ(test, is.coalesced - was.coalesced, 1UL);
}

/* --- Other people's NMIs ---------------------------------------------------- */

/*
 * Somebody else, before us in the kernel's list: owns the NMIs that it sent itself,
 * and can stay in one of them until it is told.
 */
static atomic_t theirs, unclaimed;
static int stay, stayed_in, leave;

static int their_local_handler(unsigned int type, struct pt_regs *regs)
{
	if (READ_ONCE(stay) && smp_processor_id() == 1) {
		WRITE_ONCE(stay, 0);
		kt_tell(&stayed_in);
		kt_spin_until(&leave, 1000);
	}
	return atomic_dec_if_positive(&theirs) >= 0;
}

static int their_unknown_handler(unsigned int type, struct pt_regs *regs)
{
	return atomic_dec_if_positive(&unclaimed) >= 0;
}

static int somebody_else_comes(void)
{
	int err;

	atomic_set(&theirs, 0);
	atomic_set(&unclaimed, 0);
	WRITE_ONCE(stay, 0);
	err = register_nmi_handler(NMI_UNKNOWN, their_unknown_handler, 0, "kt_unknown");
	if (err)
		return err;
	return register_nmi_handler(NMI_LOCAL, their_local_handler, NMI_FLAG_FIRST, "kt_local");
}

static void somebody_else_goes(void)
{
	unregister_nmi_handler(NMI_LOCAL, "kt_local");
	unregister_nmi_handler(NMI_UNKNOWN, "kt_unknown");
}

static void send(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	shim_nmi_send(cpu);
	local_irq_restore(flags);
}

static bool gone(atomic_t *count)
{
	ktime_t end = ktime_add_ms(ktime_get(), 1000);

	while (atomic_read(count) > 0 && !ktime_after(ktime_get(), end))
		usleep_range(50, 100);
	return atomic_read(count) == 0;
}

static atomic_t foreign_runs, tick_runs;

static unsigned int tell_apart(void *context, const struct nmiprof_nmi *nmi)
{
	atomic_inc(nmi->how & NMIPROF_FOREIGN ? &foreign_runs : &tick_runs);
	return 0;
}

static void a_foreign_nmi_is_no_sample(struct kunit *test)
{
	struct kt_ledger was, is;
	int i, number;

	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_ASSERT_EQ(test, kt_rate(1), 0);
	number = kt_handler_add("tell_apart", tell_apart, NULL);
	KUNIT_ASSERT_GT(test, number, 0);
	KUNIT_ASSERT_EQ(test, somebody_else_comes(), 0);
	KUNIT_ASSERT_EQ(test, kt_ledger(1, &was), 0);
	atomic_set(&foreign_runs, 0);
	atomic_set(&tick_runs, 0);
	for (i = 0; i < 20; i++) {
		atomic_inc(&theirs);
		send(1);
		KUNIT_EXPECT_TRUE(test, gone(&theirs));
	}
	usleep_range(1000, 2000);
	KUNIT_EXPECT_EQ(test, kt_ledger(1, &is), 0);
	somebody_else_goes();
	KUNIT_EXPECT_EQ(test, atomic_read(&foreign_runs), 20);
	KUNIT_EXPECT_EQ(test, is.foreign - was.foreign, 20UL);
	KUNIT_EXPECT_EQ(test, is.samples - was.samples, is.handled - was.handled);
	KUNIT_EXPECT_EQ(test, is.late, was.late);
	KUNIT_EXPECT_EQ(test, kt_handler_remove(number), 0);
}

/* An NMI that nobody owns, when none of ours is about, goes on to the kernel. */
static void an_unknown_nmi_is_not_swallowed(struct kunit *test)
{
	struct kt_ledger was, is;
	int i;

	KUNIT_ASSERT_TRUE(test, kt_tick(1));
	KUNIT_ASSERT_TRUE(test, kt_quiet());
	kt_sleep(20); /* well beyond the window for late arrivals */
	KUNIT_ASSERT_EQ(test, somebody_else_comes(), 0);
	KUNIT_EXPECT_EQ(test, kt_ledger(1, &was), 0);
	for (i = 0; i < 5; i++) {
		atomic_inc(&unclaimed);
		send(1);
		KUNIT_EXPECT_TRUE(test, gone(&unclaimed));
	}
	KUNIT_EXPECT_EQ(test, kt_ledger(1, &is), 0);
	somebody_else_goes();
	KUNIT_EXPECT_EQ(test, is.foreign - was.foreign, 5UL);
	KUNIT_EXPECT_EQ(test, is.late, was.late);
	KUNIT_EXPECT_EQ(test, is.handled, was.handled);
}

/*
 * Another NMI, in its handler, sees our flag go up and uses up our claim; ours is
 * latched meanwhile, comes when nothing is asked for, and is ours all the same. (With a
 * claim of its owner the kernel would count two, and swallow the next one by itself.)
 */
static void overtake(struct kunit *test)
{
	bool in;

	WRITE_ONCE(stayed_in, 0);
	WRITE_ONCE(leave, 0);
	WRITE_ONCE(stay, 1);
	/* One that misses the window is unknown: not for the kernel to complain of. */
	atomic_set(&unclaimed, 1);
	send(1);
	in = kt_spin_until(&stayed_in, 1000);
	KUNIT_EXPECT_EQ(test, nmiprof_sample(1), 0);
	kt_tell(&leave);
	KUNIT_EXPECT_TRUE(test, in);
	KUNIT_EXPECT_TRUE(test, kt_quiet());
	kt_sleep(20);
	atomic_set(&unclaimed, 0);
}

static void an_nmi_that_was_overtaken_is_claimed_as_late(struct kunit *test)
{
	struct kt_ledger was, is;
	unsigned long tries = 0;

	KUNIT_ASSERT_TRUE(test, kt_quiet());
	KUNIT_ASSERT_EQ(test, somebody_else_comes(), 0);
	KUNIT_EXPECT_EQ(test, kt_ledger(1, &was), 0);
	/* A virtual CPU that is held up between the two NMIs misses the window of 100 us. */
	do {
		overtake(test);
		tries++;
		KUNIT_EXPECT_EQ(test, kt_ledger(1, &is), 0);
	} while (is.late == was.late && tries < 20);
	somebody_else_goes();
	KUNIT_EXPECT_EQ(test, is.sent - was.sent, tries);
	KUNIT_EXPECT_EQ(test, is.handled - was.handled, tries);
	KUNIT_EXPECT_EQ(test, is.late - was.late, 1UL);
	KUNIT_EXPECT_EQ(test, is.lost, was.lost);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(one_of_many_sets_it),
	KUNIT_CASE(the_target_sees_and_clears_it),
	KUNIT_CASE(at_most_one_is_outstanding),
	KUNIT_CASE(the_flag_is_up_while_handlers_run),
	KUNIT_CASE(a_foreign_nmi_is_no_sample),
	KUNIT_CASE(an_unknown_nmi_is_not_swallowed),
	KUNIT_CASE(an_nmi_that_was_overtaken_is_claimed_as_late),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_claim",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, the claim protocol");
MODULE_LICENSE("GPL");
