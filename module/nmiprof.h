/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nmiprof for other modules: NMI handlers that come and go while NMIs arrive.
 *
 *	static unsigned int mine(void *context, const struct nmiprof_nmi *nmi)
 *	{
 *		if (!(nmi->how & NMIPROF_TICK))
 *			return 0;
 *		... nmi->regs, nmi->ip ...
 *		return 1;
 *	}
 *
 *	number = nmiprof_register("my_handler", mine, &my_data);
 *	...
 *	nmiprof_unregister(number);
 *	kfree(...);			// no CPU runs mine() any more
 *
 * A handler runs for every NMI, in NMI context: no locks that wait, no allocation,
 * no call_rcu(), no sending. It returns how many events of this NMI were its own.
 * To claim what is not one's own hides somebody else's NMI; claims are counted.
 */
#ifndef NMIPROF_H
#define NMIPROF_H

#include "shim/nmi.h"

/*
 * Process context. A number > 0; -EINVAL: no function, or a name that is empty or
 * 32 bytes or longer; -EEXIST: name in use; -ENOSPC: 15 handlers at most; -ENOMEM.
 */
int nmiprof_register(const char *name, nmiprof_handler_fn fn, void *context);

/*
 * Function and context change together: no NMI sees neither, or a mix. On return
 * no CPU runs the former. Process context. 0, -ENOENT, -EINVAL, -ENOMEM.
 */
int nmiprof_replace(int number, nmiprof_handler_fn fn, void *context);

/* On return no CPU runs the handler. Process context. 0, -ENOENT. */
int nmiprof_unregister(int number);

/*
 * Ask for one sample of @cpu, now. Coalesced with one that is outstanding. To those who
 * take every n-th tick, perf's events and the profile, it is a tick like any other. Any
 * context but NMI. 0; -ENODEV: offline; -EAGAIN: another CPU is just sending to it.
 */
int nmiprof_sample(unsigned int cpu);

#endif /* NMIPROF_H */
