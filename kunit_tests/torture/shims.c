// SPDX-License-Identifier: GPL-2.0-only
/* What rcu_ptr needs of the kernel: this module's own copies of nmiprof's shims. */
#include "../../shims/log.c"
#include "../../shims/context.c"
#include "../../shims/rcu.c"
