/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines in the kernel log, each prefixed "nmiprof: ". Process context. */
#ifndef SHIM_LOG_H
#define SHIM_LOG_H

#include "shim/types.h"

SHIM_BEGIN

/* A request was refused; rate-limited. printf formats, no newline. */
void shim_log_refused(const char *format, ...) SHIM_NOEXCEPT SHIM_PRINTF(1, 2);

/* Something a user should know of that is not an error; rate-limited. */
void shim_log_notice(const char *format, ...) SHIM_NOEXCEPT SHIM_PRINTF(1, 2);

/* Once: perf samples took more than @percent of CPU @cpu's time. Any context. */
void shim_log_over_budget(unsigned int cpu, unsigned int percent) SHIM_NOEXCEPT;

/* A bug of ours that leaks memory rather than corrupt it: WARN once. */
void shim_warn_leaked(const char *what) SHIM_NOEXCEPT;

SHIM_END

#endif /* SHIM_LOG_H */
