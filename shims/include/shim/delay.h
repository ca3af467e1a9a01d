/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_DELAY_H
#define SHIM_DELAY_H

#include "shim/types.h"

SHIM_BEGIN

/* ndelay(): busy for about so long. Any context. */
void shim_delay_ns(shim_u32 ns) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_DELAY_H */
