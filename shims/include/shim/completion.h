/* SPDX-License-Identifier: GPL-2.0-only */
/* One waits until another says that it is done. */
#ifndef SHIM_COMPLETION_H
#define SHIM_COMPLETION_H

#include "shim/types.h"

SHIM_BEGIN

/* Room for the kernel's own, with all of its debugging. */
struct shim_completion {
	shim_u64 opaque[24];
};

void shim_completion_init(struct shim_completion *completion) SHIM_NOEXCEPT;
/* complete(): any context but NMI; the last that this side does with it. */
void shim_complete(struct shim_completion *completion) SHIM_NOEXCEPT;
/* wait_for_completion(): process context, sleeps. Then it may be freed. */
void shim_completion_wait(struct shim_completion *completion) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_COMPLETION_H */
