/* SPDX-License-Identifier: GPL-2.0-only */
/* The typed read section, for module/demos/ to measure beside C's. */
#ifndef DEMOS_READ_SECTION_H
#define DEMOS_READ_SECTION_H

#include "shim/types.h"

SHIM_BEGIN

/* @loops read sections of @section_ns each; 0: empty. Any context but NMI. */
void read_sections(shim_u64 loops, shim_u32 section_ns) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_READ_SECTION_H */
