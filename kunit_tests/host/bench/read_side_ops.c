// SPDX-License-Identifier: GPL-2.0-only
/*
 * As module/demos/read_side_ops.c, on the host: caches and contention are real here, which
 * an emulated machine cannot show.
 */
#define _LGPL_SOURCE /* liburcu's read side inline */
#include <pthread.h>
#include <urcu/uatomic.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include "read_side_ops.h"

/* Written out for each, so that an empty section is nothing but its beginning and its end. */
#define SECTIONS(name, begin, end) \
static void name##_sections(unsigned long loops) \
{ \
	unsigned long i; \
\
	for (i = 0; i < loops; i++) { \
		begin; \
		cmm_barrier(); \
		end; \
	} \
}

SECTIONS(bare, , )
SECTIONS(rcu_memb, urcu_memb_read_lock(), urcu_memb_read_unlock())

/* Its sections are free; a thread says now and then that it is in none. */
static void rcu_qsbr_sections(unsigned long loops)
{
	unsigned long i;

	for (i = 0; i < loops; i++) {
		urcu_qsbr_read_lock();
		cmm_barrier();
		urcu_qsbr_read_unlock();
	}
	urcu_qsbr_quiescent_state();
}

/* There is no writer: nobody reads again. */
static unsigned long seq;

static void seqlock_sections(unsigned long loops)
{
	unsigned long i, before;

	for (i = 0; i < loops; i++) {
		do {
			before = CMM_LOAD_SHARED(seq);
			cmm_smp_rmb();
			cmm_barrier();
			cmm_smp_rmb();
		} while (CMM_LOAD_SHARED(seq) != before || before & 1);
	}
}

/* Each that is written to has a cache line for itself, and the one beside it. */
static unsigned long references __attribute__((aligned(128)));
SECTIONS(refcount, uatomic_inc(&references), uatomic_dec(&references))

static pthread_rwlock_t rwlock __attribute__((aligned(128))) = PTHREAD_RWLOCK_INITIALIZER;
SECTIONS(rwlock, pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock))

static pthread_mutex_t mutex __attribute__((aligned(128))) = PTHREAD_MUTEX_INITIALIZER;
SECTIONS(mutex, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex))

static pthread_spinlock_t spinlock __attribute__((aligned(128)));
SECTIONS(spinlock, pthread_spin_lock(&spinlock), pthread_spin_unlock(&spinlock))

static void spinlock_init(void)
{
	pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
}

static void spinlock_enter(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, spinlock_init);
}

const struct native_op native_ops[] = {
	{ "bare", bare_sections, NULL, NULL },
	{ "rcu_qsbr", rcu_qsbr_sections, urcu_qsbr_register_thread, urcu_qsbr_unregister_thread },
	{ "rcu_memb", rcu_memb_sections, urcu_memb_register_thread, urcu_memb_unregister_thread },
	{ "seqlock", seqlock_sections, NULL, NULL },
	{ "refcount", refcount_sections, NULL, NULL },
	{ "spinlock", spinlock_sections, spinlock_enter, NULL },
	{ "rwlock", rwlock_sections, NULL, NULL },
	{ "mutex", mutex_sections, NULL, NULL },
};

const unsigned int native_nr_ops = sizeof(native_ops) / sizeof(native_ops[0]);
