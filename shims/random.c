// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>

#include "shim/random.h"

shim_u32 shim_random(void)
{
	return get_random_u32();
}
