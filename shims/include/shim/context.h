/* SPDX-License-Identifier: GPL-2.0-only */
/* Entering and leaving contexts; the C++ guards are in cxx_core/context.hpp. */
#ifndef SHIM_CONTEXT_H
#define SHIM_CONTEXT_H

#include "shim/types.h"

SHIM_BEGIN

/* rcu_read_lock(), rcu_read_unlock(): any context, nest. */
void shim_rcu_read_lock(void) SHIM_NOEXCEPT;
void shim_rcu_read_unlock(void) SHIM_NOEXCEPT;

/*
 * rcu_read_lock_sched(), rcu_read_unlock_sched(): preemption off, as a read section of RCU;
 * on PREEMPT_RT as well. Any context, nest.
 */
void shim_rcu_read_lock_sched(void) SHIM_NOEXCEPT;
void shim_rcu_read_unlock_sched(void) SHIM_NOEXCEPT;

/* preempt_disable(), preempt_enable(): any context, nest. */
void shim_preempt_disable(void) SHIM_NOEXCEPT;
void shim_preempt_enable(void) SHIM_NOEXCEPT;

/* The mutex of the update side. Process context, may sleep, does not nest. */
void shim_update_lock(void) SHIM_NOEXCEPT;
void shim_update_unlock(void) SHIM_NOEXCEPT;

/* Debug builds only: warn when called in another context than the name says. */
void shim_assert_in_nmi(void) SHIM_NOEXCEPT;
void shim_assert_in_irq(void) SHIM_NOEXCEPT;
void shim_assert_may_sleep(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_CONTEXT_H */
