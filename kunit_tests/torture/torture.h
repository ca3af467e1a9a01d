/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nmiprof_torture.ko, after the method of the kernel's rcutorture: objects that
 * readers reach under RCU are never freed but aged, one step for each grace period
 * since they were taken away. A reader that sees an object older than one step had
 * it in its hands longer than a grace period: that is the failure looked for.
 *
 *	main.c      parameters, statistics, the verdict
 *	objects.c   the objects, their ages, and how readers look at them
 *	handlers.c  updaters of nmiprof's handlers; NMI readers
 *	pointer.c   updaters and readers of an rcu_ptr (pointer_core.cpp), all contexts
 *	disturb.c   what goes on beside: NMIs by the dozen, hotplug, stalls, stutter
 */
#ifndef NMIPROF_TORTURE_H
#define NMIPROF_TORTURE_H

#define TORTURE_AGES 10 /* grace periods until an object is used again */

enum torture_reader { TORTURE_NMI, TORTURE_IRQ, TORTURE_THREAD, TORTURE_READERS };

struct torture_object;

#ifdef __cplusplus
#define TORTURE_NOEXCEPT noexcept
extern "C" {
#else
#define TORTURE_NOEXCEPT
#endif

/* pointer_core.cpp: one look at what the rcu_ptr points to, in this context. */
void torture_pointer_look(enum torture_reader who) TORTURE_NOEXCEPT;
/*
 * Publishes @fresh, waits for a grace period, hands back what was there before. Calls
 * torture_object_removed() for it in between. Process context.
 */
struct torture_object *torture_pointer_swap(struct torture_object *fresh) TORTURE_NOEXCEPT;

/* objects.c: a reader's look at an object, early and late. Any context. */
void torture_look(const struct torture_object *object, enum torture_reader who) TORTURE_NOEXCEPT;
/* It can no longer be reached by who comes new. */
void torture_object_removed(struct torture_object *object) TORTURE_NOEXCEPT;

#ifdef __cplusplus
}
#else

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

/* objects.c */

struct torture_object {
	struct list_head list;
	unsigned long magic;
	int age; /* 0: in use, 1: taken away, then one for each grace period */
	int kind; /* which of two functions it goes with */
};

/* Each updater's own: what it took away, of any age. */
struct torture_pipe {
	struct list_head list;
};

int torture_objects_init(void);
void torture_objects_exit(void);
/* NULL: all are in use; counted. */
struct torture_object *torture_object_get(int kind);
/* A grace period has passed since torture_object_removed(). */
void torture_object_age(struct torture_pipe *pipe, struct torture_object *object);
/* Waits for a grace period of some kind and ages all that was in the pipe before it. */
void torture_pipe_age(struct torture_pipe *pipe);
/* Looks by @who at objects of this age. */
unsigned long torture_looks(enum torture_reader who, int age);

/* handlers.c, pointer.c, disturb.c: start what the parameters ask for; stop it. */
int torture_handlers_start(void);
void torture_handlers_stop(void);
int torture_pointer_start(void);
void torture_pointer_stop(void);
int torture_disturb_start(void);
void torture_disturb_stop(void);

/* A thread that goes on until it is stopped; @cpu -1: anywhere. */
struct task_struct *torture_thread(int (*fn)(void *), void *data, int cpu, const char *name);
void torture_thread_stop(struct task_struct **thread);
/* Holds the caller while the test stutters. Whether to go on. */
bool torture_go_on(void);
/* True one time in @n; 0: never. Any context. */
bool torture_one_in(unsigned int n);

/* Wrong, whatever the figures say. */
void torture_fail(const char *what);

extern unsigned int torture_nreaders, torture_nwriters, torture_nfakewriters;
extern bool torture_irqreader, torture_gp_normal, torture_gp_exp, torture_gp_poll;
extern unsigned int torture_delay_us, torture_slow_us, torture_slow_every;
extern bool torture_greedy;

/* What was done. */
enum torture_count {
	TORTURE_REGISTERS,
	TORTURE_REPLACES,
	TORTURE_UNREGISTERS,
	TORTURE_SWAPS, /* of the rcu_ptr */
	TORTURE_NORMAL, /* grace periods waited for, by kind */
	TORTURE_EXPEDITED,
	TORTURE_POLLED,
	TORTURE_NO_OBJECT,
	TORTURE_NO_MEMORY, /* nmiprof said so */
	TORTURE_SENT, /* asked for by the fire threads */
	TORTURE_OFFLINES,
	TORTURE_ONLINES,
	TORTURE_STALLS,
	TORTURE_COUNTS
};

void torture_did(enum torture_count what);
unsigned long torture_done(enum torture_count what);

#endif

#endif /* NMIPROF_TORTURE_H */
