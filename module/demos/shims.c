// SPDX-License-Identifier: GPL-2.0-only
/* What the demonstrations' core needs of the kernel: this module's own copies of the shims. */
#include "../../shims/log.c"
#include "../../shims/clock.c"
#include "../../shims/context.c"
#include "../../shims/delay.c"
#include "../../shims/lock.c"
#include "../../shims/memory.c"
#include "../../shims/object.c"
#include "../../shims/random.c"
#include "../../shims/rcu.c"
#include "../../shims/reclaim.c"
#include "../../shims/sched.c"
