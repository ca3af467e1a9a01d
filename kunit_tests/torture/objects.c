// SPDX-License-Identifier: GPL-2.0-only
/* Objects that are aged instead of freed, and the readers' looks at them. */
#include <linux/delay.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "torture.h"

#define OBJECTS 256
#define MAGIC 0x70726f66696c6572UL

static struct torture_object *objects;
static LIST_HEAD(unused);
static DEFINE_SPINLOCK(unused_lock);

struct looks {
	unsigned long by_age[TORTURE_READERS][TORTURE_AGES + 1];
};

static struct looks __percpu *looks;

int torture_objects_init(void)
{
	unsigned int i;

	objects = kcalloc(OBJECTS, sizeof(*objects), GFP_KERNEL);
	looks = alloc_percpu(struct looks);
	if (!objects || !looks) {
		torture_objects_exit();
		return -ENOMEM;
	}
	for (i = 0; i < OBJECTS; i++) {
		objects[i].magic = MAGIC;
		objects[i].age = TORTURE_AGES;
		list_add(&objects[i].list, &unused);
	}
	return 0;
}

void torture_objects_exit(void)
{
	free_percpu(looks);
	kfree(objects);
}

struct torture_object *torture_object_get(int kind)
{
	struct torture_object *object;

	spin_lock(&unused_lock);
	object = list_first_entry_or_null(&unused, struct torture_object, list);
	if (object)
		list_del(&object->list);
	spin_unlock(&unused_lock);
	if (!object) {
		torture_did(TORTURE_NO_OBJECT);
		return NULL;
	}
	object->kind = kind;
	WRITE_ONCE(object->age, 0);
	return object;
}

void torture_object_removed(struct torture_object *object)
{
	WRITE_ONCE(object->age, 1);
}

void torture_object_age(struct torture_pipe *pipe, struct torture_object *object)
{
	WRITE_ONCE(object->age, 2);
	list_add_tail(&object->list, &pipe->list);
}

static void wait_normal(void)
{
	synchronize_rcu();
	torture_did(TORTURE_NORMAL);
}

static void wait_expedited(void)
{
	synchronize_rcu_expedited();
	torture_did(TORTURE_EXPEDITED);
}

static void wait_polled(void)
{
	const unsigned long cookie = start_poll_synchronize_rcu();

	while (!poll_state_synchronize_rcu(cookie))
		schedule_timeout_uninterruptible(1);
	torture_did(TORTURE_POLLED);
}

void torture_pipe_age(struct torture_pipe *pipe)
{
	void (*ways[3])(void);
	unsigned int n = 0;
	struct torture_object *object, *next;

	if (torture_gp_normal)
		ways[n++] = wait_normal;
	if (torture_gp_exp)
		ways[n++] = wait_expedited;
	if (torture_gp_poll)
		ways[n++] = wait_polled;
	ways[n ? get_cycles() / 16 % n : 0]();

	list_for_each_entry_safe(object, next, &pipe->list, list) {
		WRITE_ONCE(object->age, object->age + 1);
		if (object->age < TORTURE_AGES)
			continue;
		spin_lock(&unused_lock);
		list_move(&object->list, &unused);
		spin_unlock(&unused_lock);
	}
}

void torture_look(const struct torture_object *object, enum torture_reader who)
{
	int age;

	if (READ_ONCE(object->magic) != MAGIC) {
		torture_fail("a reader got something that is no object");
		return;
	}
	if (torture_one_in(64))
		udelay(torture_delay_us);
	/* Late: an object that should have been waited for has aged meanwhile. */
	age = READ_ONCE(object->age);
	this_cpu_inc(looks->by_age[who][clamp(age, 0, TORTURE_AGES)]);
}

unsigned long torture_looks(enum torture_reader who, int age)
{
	unsigned long sum = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(looks, cpu)->by_age[who][age];
	return sum;
}
