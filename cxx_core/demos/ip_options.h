/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IP options (ip_options.hpp) as module/demos/ sees them: builtin integers, 0 or -errno.
 * Process context that may sleep.
 */
#ifndef DEMOS_IP_OPTIONS_H
#define DEMOS_IP_OPTIONS_H

#include "shim/types.h"

SHIM_BEGIN

/* What senders keep the options by while they copy them. */
enum ip_options_way { IP_OPTIONS_RCU, IP_OPTIONS_REFCOUNT };

enum ip_options_setting {
	IP_OPTIONS_WAY, /* enum ip_options_way */
	IP_OPTIONS_BATCH, /* packets in a turn of a sender, 1 to 2^32 - 1 */
	IP_OPTIONS_BACKLOG_MAX, /* objects; setters wait when more are waiting */
};

struct ip_options_sent {
	shim_u64 packets, without_options;
	shim_u64 torn, seen_freed; /* must not be */
};

struct ip_options_counts {
	shim_u64 waiting; /* replaced, and a sender might still be there */
	shim_u64 throttled; /* a setter waited for the backlog */
	struct ip_options_sent sent;
	shim_u64 sets; /* with those of starting and stopping */
	shim_u64 put_last_by_sender;
};

void ip_options_init(void) SHIM_NOEXCEPT;
/* The first options. -ENOMEM: there are none. */
int ip_options_prepare(void) SHIM_NOEXCEPT;
/* Nobody is at work. On return there are none and what was waiting has been freed. */
void ip_options_clear(void) SHIM_NOEXCEPT;
shim_u64 ip_options_get(enum ip_options_setting what) SHIM_NOEXCEPT;
void ip_options_set(enum ip_options_setting what, shim_u64 value) SHIM_NOEXCEPT;
/* A sender's turn. @stopping: given up when that becomes 1. */
void ip_options_send(const shim_u32 *stopping, struct ip_options_sent *out) SHIM_NOEXCEPT;
/* A setter's turn. -ENOMEM: the options stay as they are. */
int ip_options_replace(void) SHIM_NOEXCEPT;
void ip_options_count(struct ip_options_counts *out) SHIM_NOEXCEPT;
void ip_options_objects(shim_u64 *allocated, shim_u64 *freed) SHIM_NOEXCEPT;

SHIM_END

#endif /* DEMOS_IP_OPTIONS_H */
