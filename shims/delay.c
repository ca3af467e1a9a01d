// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>

#include "shim/delay.h"

void shim_delay_ns(shim_u32 ns)
{
	ndelay(ns);
}
