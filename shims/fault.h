/* SPDX-License-Identifier: GPL-2.0-only */
/* For the shims themselves: NMIs that get lost (shim/fault.h). */
#ifndef NMIPROF_SHIMS_FAULT_H
#define NMIPROF_SHIMS_FAULT_H

#include <linux/types.h>

#ifdef NMIPROF_FAULTS

extern unsigned int shim_lose_every;

/* Whether this NMI is to get lost. With interrupts off. */
static inline bool shim_nmi_gets_lost(void)
{
	static unsigned int sent;
	const unsigned int every = READ_ONCE(shim_lose_every);

	/* Without a lock: one more or less matters to nobody. */
	return every && data_race(++sent) % every == 0;
}

#else

static inline bool shim_nmi_gets_lost(void)
{
	return false;
}

#endif

#endif /* NMIPROF_SHIMS_FAULT_H */
