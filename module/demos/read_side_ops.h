/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can protect a read section: an entry in a table. After the ops of
 * kernel/rcu/refscale.c, whose figures stand beside these where it can be loaded.
 */
#ifndef RCU_DEMO_READ_SIDE_OPS_H
#define RCU_DEMO_READ_SIDE_OPS_H

#include <linux/types.h>

struct read_side_op {
	const char *name;
	int (*init)(void); /* 0 or -errno; NULL: nothing to do */
	void (*exit)(void);
	/* @loops sections of @section_ns each, empty ones when that is 0. */
	void (*read)(unsigned long loops, unsigned int section_ns);
	/* One change. NULL: there is no writer's side to it. May sleep. */
	void (*write)(void);
};

extern const struct read_side_op read_side_ops[];
extern const unsigned int read_side_nr_ops;

#endif /* RCU_DEMO_READ_SIDE_OPS_H */
