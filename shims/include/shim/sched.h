/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_SCHED_H
#define SHIM_SCHED_H

#include "shim/types.h"

SHIM_BEGIN

/* cond_resched(): in long loops. Process context, no lock held. */
void shim_cond_resched(void) SHIM_NOEXCEPT;

/* Process context: sleep for about @us microseconds. */
void shim_sleep_us(unsigned int us) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_SCHED_H */
