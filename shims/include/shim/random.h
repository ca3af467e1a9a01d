/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_RANDOM_H
#define SHIM_RANDOM_H

#include "shim/types.h"

SHIM_BEGIN

/* get_random_u32(): uniform. Any context but NMI. */
shim_u32 shim_random(void) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_RANDOM_H */
