/* SPDX-License-Identifier: GPL-2.0-only */
/* NMIs: taking them (calls up into the core) and sending them. */
#ifndef SHIM_NMI_H
#define SHIM_NMI_H

#include "shim/types.h"

struct pt_regs;
struct nmiprof_cpu; /* the core's state of a CPU */

/* What an NMI interrupted, and whether it is a tick of ours. */
enum nmiprof_how {
	NMIPROF_IRQS_OFF = 1 << 0, /* interrupts were off. Bit 0: an index */
	NMIPROF_USER = 1 << 1, /* user space */
	NMIPROF_IDLE = 1 << 2, /* the idle task, not an interrupt on top of it */
	NMIPROF_FOREIGN = 1 << 3, /* somebody else's NMI: no sample is due */
	NMIPROF_OVERFLOW = 1 << 4, /* a hardware counter's: a sample, but not a tick */
	NMIPROF_IDLE_TASK = 1 << 5, /* the idle task, or an interrupt on top of it */
};

/* One NMI, as handlers see it; gone when the handler returns. */
struct nmiprof_nmi {
	struct pt_regs *regs; /* what was interrupted */
	shim_u64 ip; /* instruction pointer in regs */
	shim_u32 how; /* enum nmiprof_how */
	shim_u32 sender; /* CPU that sent it, if it is a tick; the CPU itself if an overflow */
};

/*
 * A handler: how many events of this NMI were its own, 0 for none. NMI context. A
 * foreign NMI that no handler claims goes on to the kernel's own handling.
 */
typedef unsigned int (*nmiprof_handler_fn)(void *context, const struct nmiprof_nmi *nmi);

SHIM_BEGIN

/*
 * Calls up, made by the kernel's NMI_LOCAL and NMI_UNKNOWN handlers. NMI
 * context. Return 1 when the NMI is ours, else 0.
 */
int nmiprof_core_on_nmi(struct nmiprof_cpu *cpu, struct pt_regs *regs, shim_u64 ip,
			shim_u32 how) SHIM_NOEXCEPT;
int nmiprof_core_on_unknown_nmi(struct nmiprof_cpu *cpu) SHIM_NOEXCEPT;

/*
 * register_nmi_handler() for both, unregister_nmi_handler() of both: the latter
 * waits until no CPU is in either. Process context. 0 or -errno.
 */
int shim_nmi_register(void) SHIM_NOEXCEPT;
void shim_nmi_unregister(void) SHIM_NOEXCEPT;

/*
 * Send an NMI to @cpu, which may be this one. Interrupts off, never from an
 * NMI. All that was written before is visible to the handler.
 */
void shim_nmi_send(unsigned int cpu) SHIM_NOEXCEPT;

/*
 * A CPU that sends to itself does so from its timer interrupt: rewrite @nmi to
 * what that interrupt interrupted. NMI context.
 */
void shim_nmi_look_below_irq(struct nmiprof_nmi *nmi) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_NMI_H */
