// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ktime.h>

#include <asm/tsc.h>

#include "shim/clock.h"

shim_u64 shim_now_ns(void)
{
	return ktime_get_mono_fast_ns();
}

shim_u64 shim_cycles_per_ms(void)
{
	return tsc_khz ?: 1;
}
