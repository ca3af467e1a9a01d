// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/percpu-rwsem.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "demos/read_section.h"
#include "read_side_ops.h"

/*
 * The loops are written out by this macro, so that an empty section is nothing but its
 * beginning and its end. They count down, which takes two instructions a turn, as
 * kernel/rcu/refscale.c does. A section that lasts is one that looks at the clock.
 */
/* lint: MACRO_ARG_REUSE: statements, for either loop */
#define READ_LOOPS(name, begin, end) \
static void name##_sections(unsigned long loops, unsigned int section_ns) \
{ \
	if (section_ns) { \
		for (; loops; loops--) { \
			begin; \
			ndelay(section_ns); \
			end; \
		} \
	} else { \
		for (; loops; loops--) { \
			begin; \
			end; \
		} \
	} \
}

READ_LOOPS(bare, barrier(), barrier())

/* RCU: in C, and the same section typed in C++. The writer publishes and hands over. */

struct object {
	struct rcu_head head;
};

static struct object __rcu *object;

READ_LOOPS(rcu, rcu_read_lock(), rcu_read_unlock())

static void rcu_write(void)
{
	struct object *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);

	if (!fresh)
		return;
	/* One writer. */
	fresh = rcu_replace_pointer(object, fresh, true);
	if (fresh)
		kfree_rcu(fresh, head);
}

static void rcu_exit(void)
{
	struct object *last = rcu_replace_pointer(object, NULL, true);

	if (last)
		kfree_rcu(last, head);
}

static void rcu_typed_sections(unsigned long loops, unsigned int section_ns)
{
	read_sections(loops, section_ns);
}

/* Locks */

static DEFINE_RWLOCK(rwlock);
READ_LOOPS(rwlock, read_lock(&rwlock), read_unlock(&rwlock))

static void rwlock_write(void)
{
	write_lock(&rwlock);
	write_unlock(&rwlock);
}

static DEFINE_SPINLOCK(spinlock);
READ_LOOPS(spinlock, spin_lock(&spinlock), spin_unlock(&spinlock))

static void spinlock_write(void)
{
	spin_lock(&spinlock);
	spin_unlock(&spinlock);
}

static DECLARE_RWSEM(rwsem);
READ_LOOPS(rwsem, down_read(&rwsem), up_read(&rwsem))

static void rwsem_write(void)
{
	down_write(&rwsem);
	up_write(&rwsem);
}

static struct percpu_rw_semaphore percpu_rwsem;
READ_LOOPS(percpu_rwsem, percpu_down_read(&percpu_rwsem), percpu_up_read(&percpu_rwsem))

static int percpu_rwsem_init(void)
{
	return percpu_init_rwsem(&percpu_rwsem);
}

static void percpu_rwsem_exit(void)
{
	percpu_free_rwsem(&percpu_rwsem);
}

static void percpu_rwsem_write(void)
{
	percpu_down_write(&percpu_rwsem);
	percpu_up_write(&percpu_rwsem);
}

/* A reader that met a writer reads again. */
static DEFINE_SEQLOCK(seqlock);

static void seqlock_sections(unsigned long loops, unsigned int section_ns)
{
	unsigned int seq;

	for (; loops; loops--) {
		do {
			seq = read_seqbegin(&seqlock);
			if (section_ns)
				ndelay(section_ns);
		} while (read_seqretry(&seqlock, seq));
	}
}

static void seqlock_write(void)
{
	write_seqlock(&seqlock);
	write_sequnlock(&seqlock);
}

/* One shared count. There is no writer's side: nobody waits for it to become 0. */
static atomic_t references;
READ_LOOPS(refcount, atomic_inc(&references), atomic_dec(&references))

#define OP(_name, ...) { .name = #_name, .read = _name##_sections, __VA_ARGS__ }

const struct read_side_op read_side_ops[] = {
	OP(bare),
	OP(rcu, .write = rcu_write, .exit = rcu_exit),
	OP(rcu_typed, .write = rcu_write, .exit = rcu_exit),
	OP(seqlock, .write = seqlock_write),
	OP(percpu_rwsem, .init = percpu_rwsem_init, .exit = percpu_rwsem_exit,
	   .write = percpu_rwsem_write),
	OP(refcount),
	OP(rwlock, .write = rwlock_write),
	OP(spinlock, .write = spinlock_write),
	OP(rwsem, .write = rwsem_write),
};

const unsigned int read_side_nr_ops = ARRAY_SIZE(read_side_ops);
