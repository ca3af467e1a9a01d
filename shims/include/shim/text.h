/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernel image's text is. */
#ifndef SHIM_TEXT_H
#define SHIM_TEXT_H

#include "shim/types.h"

SHIM_BEGIN

/*
 * [*start, *end) of the kernel's core text; 0, or -ENOENT when it cannot be
 * told. Process context.
 */
int shim_text_range(shim_u64 *start, shim_u64 *end) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_TEXT_H */
