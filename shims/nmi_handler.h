/* SPDX-License-Identifier: GPL-2.0-only */
/* The NMI handler itself, for those that call or measure it. */
#ifndef SHIMS_NMI_HANDLER_H
#define SHIMS_NMI_HANDLER_H

struct pt_regs;

/* As register_nmi_handler() takes it. NMI context. 1: ours, 0: not. */
int nmiprof_nmi(unsigned int type, struct pt_regs *regs);

/* A hardware counter overflowed on this CPU. NMI context. */
void nmiprof_overflow(struct pt_regs *regs);

#endif /* SHIMS_NMI_HANDLER_H */
