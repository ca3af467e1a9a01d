// SPDX-License-Identifier: GPL-2.0-only
/* This module's own copies of the shims that nmiprof.ko has, too. */
#include "../../shims/log.c"
#include "../../shims/clock.c"
#include "../../shims/context.c"
#include "../../shims/cpu.c"
#include "../../shims/memory.c"
#include "../../shims/rcu.c"
#include "../../shims/sched.c"
