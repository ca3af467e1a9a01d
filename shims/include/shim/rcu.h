/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own RCU, for cxx_core/rcu.hpp. */
#ifndef SHIM_RCU_H
#define SHIM_RCU_H

#include "shim/types.h"

SHIM_BEGIN

/* rcu_assign_pointer(*where, what): any context. */
void shim_rcu_assign_pointer(void **where, void *what) SHIM_NOEXCEPT;

/*
 * synchronize_rcu(): process context, sleeps. On return every NMI handler,
 * interrupt handler and read section that was running when it was called has
 * ended, on every CPU.
 */
void shim_synchronize_rcu(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_RCU_H */
