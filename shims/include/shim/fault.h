/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Planted faults: each breaks one promise on purpose, so that a test that does not
 * notice is known to prove nothing. Builds with FAULTS=1 only, where one can be
 * chosen when the module is loaded (fault=NAME); in all others nothing is left of it.
 * Such a build also waits at places where a race would need time (forced delays,
 * as rcutorture has), can lose NMIs, and guards memory (guarded_memory.c).
 */
#ifndef SHIM_FAULT_H
#define SHIM_FAULT_H

#include "shim/types.h"

/* lint: COMPLEX_MACRO, MACRO_ARG_REUSE: @X makes an item of a list */
#define NMIPROF_FAULT_LIST(X) \
	X(no_grace_period) /* reclaim() does not wait */ \
	X(free_before_unpublish) /* a handler table is freed, then replaced */ \
	X(plain_publish) /* a pointer is stored plainly, before what it points to is filled in */ \
	X(size_outside) /* the range check goes by a size that is kept beside the buffer */ \
	X(shared_counter) /* a bin of all CPUs is counted up without a locked instruction */ \
	X(double_count) /* a sample is put into its bin twice */ \
	X(late_flag) /* S1 after S2: the claim flag is set after sending */ \
	X(two_outstanding) /* S1 failed, and is sent all the same */ \
	X(claim_without_flag) /* T1 takes every NMI for ours */ \
	X(return_two) /* T5 says that there were two events */ \
	X(swallow_unknown) /* L1 without its window: any unclaimed NMI is late */ \
	X(no_offline_reset) /* nothing clears the flag of an NMI that got lost */ \
	X(no_drain) /* a swap forgets what was in the old buffer */ \
	X(unload_no_wait) /* the NMI handlers go while senders still send */ \
	X(no_lock) /* updaters do not exclude each other */

#define NMIPROF_FAULT_NAME(name) NMIPROF_FAULT_##name,
enum nmiprof_fault { NMIPROF_FAULT_none, NMIPROF_FAULT_LIST(NMIPROF_FAULT_NAME) };
#undef NMIPROF_FAULT_NAME

#ifdef NMIPROF_FAULTS

SHIM_BEGIN

/* The fault that was chosen. Any context. */
extern enum nmiprof_fault nmiprof_planted;

/* A forced delay, now and then (pause_us, pause_every). Any context. */
void shim_fault_pause(void) SHIM_NOEXCEPT;

/* Long enough that NMIs fall into it. Process context. */
void shim_fault_gap(void) SHIM_NOEXCEPT;

/* Memory that was freed is held back, and looked at: free it now. Process context. */
void shim_fault_free_held(void) SHIM_NOEXCEPT;

SHIM_END

#define shim_fault_planted(name) (nmiprof_planted == NMIPROF_FAULT_##name)

#else

/* lint: MACRO_ARG_UNUSED: there is no fault to plant */
#define shim_fault_planted(name) false
static inline void shim_fault_pause(void) SHIM_NOEXCEPT {}
static inline void shim_fault_gap(void) SHIM_NOEXCEPT {}
static inline void shim_fault_free_held(void) SHIM_NOEXCEPT {}

#endif

#endif /* SHIM_FAULT_H */
