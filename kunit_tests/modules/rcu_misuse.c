// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misuse that a debug kernel must catch, made by hand with the kernel's own API, one at a
 * time, in the context of the task that asks for it:
 *
 *	insmod rcu_misuse.ko
 *	echo sleep_in_read_section >/sys/module/rcu_misuse/parameters/misuse
 *
 * docs/rcu/misuse.md says what reports each, and what of it the core's types keep from
 * compiling. With the checks of scripts/kconfig/lockdep.config none damages the kernel:
 * they notice before it is done, or it is put right here. Without them, some do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/fpu/api.h>

struct object {
	struct rcu_head rcu;
	int value;
};

static DEFINE_PER_CPU(unsigned long, counter);
static DEFINE_MUTEX(mutex);
static DEFINE_SPINLOCK(spinlock);
static struct object permanent;
static struct object __rcu *published = RCU_INITIALIZER(&permanent);

/* What sleeps, and says so before it does. */
static void sleep_perhaps(void)
{
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
}

/* Spec E1: per-CPU data with preemption on. By the second line it may be another CPU's. */
static int percpu(void)
{
	unsigned long *mine = this_cpu_ptr(&counter);

	++*mine;
	__this_cpu_inc(counter);
	return 0;
}

/* Spec E2: vector registers hold what this task's user space has left there. */
static void clear_vector_register(void)
{
	asm volatile("pxor %xmm15, %xmm15");
}

static int fpu_unguarded(void)
{
	clear_vector_register();
	return 0;
}

/* No misuse: what the one above is compared with. */
static int fpu_guarded(void)
{
	kernel_fpu_begin();
	clear_vector_register();
	kernel_fpu_end();
	return 0;
}

/* What the outer section has in the registers is lost. */
static int fpu_nested(void)
{
	kernel_fpu_begin();
	kernel_fpu_begin();
	kernel_fpu_end();
	kernel_fpu_end();
	return 0;
}

/* Spec E3: a lock that another task has taken. */
static int take_and_stay(void *taken)
{
	mutex_lock(&mutex);
	complete(taken);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 20);
	return 0;
}

static int unlock_by_another(void)
{
	DECLARE_COMPLETION_ONSTACK(taken);
	struct task_struct *owner = kthread_run(take_and_stay, &taken, "rcu_misuse");

	if (IS_ERR(owner))
		return PTR_ERR(owner);
	wait_for_completion(&taken);
	mutex_unlock(&mutex);
	kthread_stop(owner);
	return 0;
}

/* A trap of the person list's texts. */
static int unlock_twice(void)
{
	spin_lock(&spinlock);
	spin_unlock(&spinlock);
	__acquire(&spinlock); /* for sparse only, which would notice, too */
	spin_unlock(&spinlock);
	return 0;
}

/* Spec E4: sleeping with preemption off. */
static int sleep_with_preemption_off(void)
{
	preempt_disable();
	sleep_perhaps();
	msleep(20);
	/* The scheduler has put the count right that it complained about. */
	if (preempt_count())
		preempt_enable();
	return 0;
}

/* Spec E4: counts nest, so that each must be taken back once. */
static int enable_preemption_twice(void)
{
	preempt_disable();
	preempt_enable();
	preempt_enable();
	return 0;
}

static int sleep_with_interrupts_off(void)
{
	local_irq_disable();
	sleep_perhaps();
	local_irq_enable();
	return 0;
}

/* Spec E4: interrupts off do not keep a task from giving up its CPU. */
static int reschedule_with_interrupts_off(void)
{
	bool on;

	local_irq_disable();
	cond_resched();
	schedule();
	on = !irqs_disabled();
	local_irq_enable();
	pr_info("behind schedule() interrupts are %s\n", on ? "on" : "off");
	return 0;
}

/* A trap of the person list's texts. */
static int allocate_in_spinlock(void)
{
	struct object *memory;

	spin_lock(&spinlock);
	memory = kmalloc(sizeof(*memory), GFP_KERNEL);
	spin_unlock(&spinlock);
	kfree(memory);
	return 0;
}

static int dereference_outside(void)
{
	return rcu_dereference(published)->value;
}

static int sleep_in_read_section(void)
{
	rcu_read_lock();
	sleep_perhaps();
	msleep(20);
	rcu_read_unlock();
	return 0;
}

static void free_object(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct object, rcu));
}

static int call_rcu_twice(void)
{
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return -ENOMEM;
	/* Until the end of this section no callback comes. */
	rcu_read_lock();
	call_rcu(&object->rcu, free_object);
	call_rcu(&object->rcu, free_object);
	rcu_read_unlock();
	return 0;
}

#define MISUSE(_name) { #_name, _name }

static const struct misuse {
	const char *name;
	int (*commit)(void);
} misuses[] = {
	MISUSE(percpu),
	MISUSE(fpu_unguarded),
	MISUSE(fpu_guarded),
	MISUSE(fpu_nested),
	MISUSE(unlock_by_another),
	MISUSE(unlock_twice),
	MISUSE(sleep_with_preemption_off),
	MISUSE(enable_preemption_twice),
	MISUSE(sleep_with_interrupts_off),
	MISUSE(reschedule_with_interrupts_off),
	MISUSE(allocate_in_spinlock),
	MISUSE(dereference_outside),
	MISUSE(sleep_in_read_section),
	MISUSE(call_rcu_twice),
};

static int commit(const char *name, const struct kernel_param *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(misuses); i++)
		if (sysfs_streq(name, misuses[i].name))
			return misuses[i].commit();
	pr_err("refused: misuse: there is none of that name\n");
	return -EINVAL;
}

static const struct kernel_param_ops misuse_ops = { .set = commit };
module_param_cb(misuse, &misuse_ops, NULL, 0200);
MODULE_PARM_DESC(misuse, "What to do wrong, at once");

static int __init rcu_misuse_init(void)
{
	return 0;
}

static void __exit rcu_misuse_exit(void)
{
	/* Callbacks of call_rcu() are code of this module. */
	rcu_barrier();
}

module_init(rcu_misuse_init);
module_exit(rcu_misuse_exit);

MODULE_DESCRIPTION("nmiprof: misuse of RCU and of contexts that a debug kernel reports");
MODULE_LICENSE("GPL");
