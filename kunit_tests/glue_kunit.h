/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core's header-only parts, one by one, for tests in C: each function stands for
 * one member function, in the context that its token names. [NMI]: in an NMI handler;
 * [irq]: interrupts off; [sleep]: process context; others: any.
 */
#ifndef GLUE_KUNIT_H
#define GLUE_KUNIT_H

#include "shim/nmi.h"
#include "shim/types.h"

struct kt_claim; /* claim_flag */
struct kt_deadline; /* deadline */
struct kt_sequence; /* kstd::sequence, and two counters that it guards */
struct kt_slab; /* slab */

/* What a slab holds besides its bins. */
struct kt_slab_sums {
	shim_u64 binned, user, idle, out_of_range;
	shim_u64 outside, outside_irqs_off, outside_rows;
};

SHIM_BEGIN

/* All three of each kind: [sleep]. new: NULL when there is no memory. */
struct kt_claim *kt_claim_new(void) SHIM_NOEXCEPT;
struct kt_deadline *kt_deadline_new(void) SHIM_NOEXCEPT;
struct kt_sequence *kt_sequence_new(void) SHIM_NOEXCEPT;
void kt_free(void *object) SHIM_NOEXCEPT;

int kt_claim_try_set(struct kt_claim *claim) SHIM_NOEXCEPT; /* [irq] */
int kt_claim_pending(const struct kt_claim *claim) SHIM_NOEXCEPT; /* [NMI] */
void kt_claim_clear(struct kt_claim *claim) SHIM_NOEXCEPT; /* [NMI] */
int kt_claim_reset(struct kt_claim *claim) SHIM_NOEXCEPT; /* [sleep] */
int kt_claim_outstanding(const struct kt_claim *claim) SHIM_NOEXCEPT;

int kt_deadline_try_begin(struct kt_deadline *d) SHIM_NOEXCEPT;
void kt_deadline_end(struct kt_deadline *d) SHIM_NOEXCEPT;
/* In one's turn. */
void kt_deadline_start(struct kt_deadline *d, shim_u64 first, shim_u64 period) SHIM_NOEXCEPT;
shim_u64 kt_deadline_take_due(struct kt_deadline *d, shim_u64 now) SHIM_NOEXCEPT;
void kt_deadline_stop(struct kt_deadline *d) SHIM_NOEXCEPT;
shim_u64 kt_deadline_due(const struct kt_deadline *d) SHIM_NOEXCEPT;

/* Both counters by one, inside. The writer is one CPU's NMI handler. [NMI] */
void kt_sequence_write(struct kt_sequence *s) SHIM_NOEXCEPT;
/* Reads both; true: what was read belongs together. */
int kt_sequence_read(const struct kt_sequence *s, shim_u64 *a, shim_u64 *b) SHIM_NOEXCEPT;

/* @shared: bins that all such slabs count into, from kt_bins_new(), or NULL. [sleep] */
struct kt_slab *kt_slab_new(shim_u64 base, shim_u64 nbins, shim_u32 shift,
			    void *shared) SHIM_NOEXCEPT;
void *kt_bins_new(shim_u64 nbins) SHIM_NOEXCEPT;
void kt_slab_count(struct kt_slab *slab, shim_u64 ip, shim_u32 how) SHIM_NOEXCEPT; /* [NMI] */
shim_u32 kt_slab_bin(const struct kt_slab *slab, shim_u64 at, int irqs_off) SHIM_NOEXCEPT;
void kt_slab_read(const struct kt_slab *slab, struct kt_slab_sums *sums) SHIM_NOEXCEPT;

/*
 * One rcu_ptr<slab> for each CPU, null at first. swap: publishes @fresh and hands back
 * the former one when no NMI can be in it [sleep]; count: into the live one, 0 when
 * there is none [NMI].
 */
struct kt_slab *kt_live_swap(unsigned int cpu, struct kt_slab *fresh) SHIM_NOEXCEPT;
int kt_live_count(unsigned int cpu, shim_u64 ip, shim_u32 how) SHIM_NOEXCEPT;

/* cpu_set::assign() from @words, then has() of each of @bits: the same bits. */
int kt_cpu_set_matches(const shim_u64 *words, unsigned int bits) SHIM_NOEXCEPT;

/* Each makes one token in whatever context it is called. */
void kt_enter_nmi(void) SHIM_NOEXCEPT;
void kt_enter_irq(void) SHIM_NOEXCEPT;
void kt_enter_process(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* GLUE_KUNIT_H */
