/* SPDX-License-Identifier: GPL-2.0-only */
/* Read sections of user mode: liburcu's, and what they replace (read_side_ops.c). */
#ifndef BENCH_READ_SIDE_OPS_H
#define BENCH_READ_SIDE_OPS_H

#ifdef __cplusplus
extern "C" {
#endif

struct native_op {
	const char *name;
	void (*sections)(unsigned long loops); /* so many, empty */
	void (*enter)(void); /* before a thread's first one; NULL: nothing */
	void (*leave)(void); /* after its last one; NULL: nothing */
};

extern const struct native_op native_ops[];
extern const unsigned int native_nr_ops;

#ifdef __cplusplus
}
#endif

#endif /* BENCH_READ_SIDE_OPS_H */
