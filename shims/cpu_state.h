/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside shims/ only: where the core's per-CPU state lies. */
#ifndef SHIMS_CPU_STATE_H
#define SHIMS_CPU_STATE_H

#include <linux/percpu.h>

struct nmiprof_cpu;

/* Opaque here: only its address is used, so the type's size must not matter. */
extern void __percpu *nmiprof_cpu_states;

#endif /* SHIMS_CPU_STATE_H */
