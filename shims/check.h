/* SPDX-License-Identifier: GPL-2.0-only */
/* Debug builds (make DEBUG=1): shims look at the context that they are called in. */
#ifndef SHIMS_CHECK_H
#define SHIMS_CHECK_H

#include "shim/context.h"

#ifdef NMIPROF_DEBUG
#define shim_check(where) shim_assert_##where()

/* For tests that break the rules on purpose: told instead of the log. NULL: none. */
extern void (*shim_context_wrong)(const char *what);

#else
/* lint: MACRO_ARG_UNUSED: nothing is looked at */
#define shim_check(where) do { } while (0)
#endif

#endif /* SHIMS_CHECK_H */
