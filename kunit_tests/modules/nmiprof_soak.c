// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fire and change, for soak tests: threads that send NMIs as fast as they can, and
 * one that registers, replaces and unregisters a handler whose data it poisons and
 * frees as soon as it may. A handler that runs with another handler's data, or with
 * freed data, is counted in `bad`.
 *
 *	insmod nmiprof_soak.ko senders=0-1 targets=2-3 rounds=1000
 *	cat /sys/module/nmiprof_soak/parameters/{bad,rounds_done,runs}
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "nmiprof.h"

static char *senders = "";
module_param(senders, charp, 0444);
MODULE_PARM_DESC(senders, "CPUs that send, one thread each (a list; default none)");

static char *targets = "";
module_param(targets, charp, 0444);
MODULE_PARM_DESC(targets, "CPUs to send to, in turn");

static uint rounds;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "Rounds of register, replace, unregister (default 0)");

static uint handler_us;
module_param(handler_us, uint, 0444);
MODULE_PARM_DESC(handler_us, "How long the handler takes, microseconds");

static bool claim_all;
module_param(claim_all, bool, 0444);
MODULE_PARM_DESC(claim_all, "The handler claims every NMI, ours or not");

static uint rounds_done;
module_param(rounds_done, uint, 0444);
MODULE_PARM_DESC(rounds_done, "Rounds done so far");

static atomic_long_t run_count, bad_count;

static int get_count(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(kp->arg));
}

static const struct kernel_param_ops count_ops = { .get = get_count };
module_param_cb(runs, &count_ops, &run_count, 0444);
MODULE_PARM_DESC(runs, "Times that a handler ran");
module_param_cb(bad, &count_ops, &bad_count, 0444);
MODULE_PARM_DESC(bad, "Times that a handler ran with data that was not its own, or freed");

#define MAGIC_A 0xaaaa5555aaaa5555UL
#define MAGIC_B 0xbbbb6666bbbb6666UL
#define POISON 0xdeadbeefdeadbeefUL

struct data {
	unsigned long magic;
};

static unsigned int check(const struct data *data, unsigned long magic)
{
	atomic_long_inc(&run_count);
	if (READ_ONCE(data->magic) != magic)
		atomic_long_inc(&bad_count);
	if (handler_us)
		udelay(handler_us);
	/* Again, late: freed in the meantime would show here. */
	if (READ_ONCE(data->magic) != magic)
		atomic_long_inc(&bad_count);
	return claim_all;
}

static unsigned int handler_a(void *context, const struct nmiprof_nmi *nmi)
{
	return check(context, MAGIC_A);
}

static unsigned int handler_b(void *context, const struct nmiprof_nmi *nmi)
{
	return check(context, MAGIC_B);
}

static struct data *data_new(unsigned long magic)
{
	struct data *data = kmalloc(sizeof(*data), GFP_KERNEL);

	if (data)
		data->magic = magic;
	return data;
}

static void data_free(struct data *data)
{
	if (data)
		WRITE_ONCE(data->magic, POISON);
	kfree(data);
}

static int one_round(void)
{
	struct data *a = data_new(MAGIC_A), *b = data_new(MAGIC_B);
	int number, err = -ENOMEM;

	if (!a || !b)
		goto out;
	number = nmiprof_register("soak", handler_a, a);
	err = number;
	if (number < 0)
		goto out;
	usleep_range(100, 200);
	err = nmiprof_replace(number, handler_b, b);
	if (!err)
		WRITE_ONCE(a->magic, POISON);
	usleep_range(100, 200);
	nmiprof_unregister(number);
out:
	data_free(a);
	data_free(b);
	return err < 0 ? err : 0;
}

static int change(void *unused)
{
	while (!kthread_should_stop()) {
		if (rounds_done < rounds && !one_round())
			rounds_done++;
		else
			msleep(20);
	}
	return 0;
}

static struct cpumask target_mask;

static int fire(void *unused)
{
	unsigned int cpu;

	while (!kthread_should_stop()) {
		unsigned int i;

		for (i = 0; i < 100; i++)
			for_each_cpu(cpu, &target_mask)
				nmiprof_sample(cpu);
		cond_resched();
	}
	return 0;
}

static struct task_struct *changer;
static struct task_struct **firing;

static void stop_all(void)
{
	unsigned int cpu;

	for (cpu = 0; firing && cpu < nr_cpu_ids; cpu++)
		if (firing[cpu])
			kthread_stop(firing[cpu]);
	kfree(firing);
	if (changer)
		kthread_stop(changer);
}

static int __init nmiprof_soak_init(void)
{
	struct cpumask *sender_mask;
	struct task_struct *t;
	unsigned int cpu;
	int err = -ENOMEM;

	sender_mask = kzalloc(sizeof(*sender_mask), GFP_KERNEL);
	firing = kcalloc(nr_cpu_ids, sizeof(*firing), GFP_KERNEL);
	if (!sender_mask || !firing)
		goto fail;
	err = cpulist_parse(senders, sender_mask) ?: cpulist_parse(targets, &target_mask);
	if (err)
		goto fail;
	if (rounds) {
		t = kthread_run(change, NULL, "nmiprof_change");
		err = PTR_ERR_OR_ZERO(t);
		if (err)
			goto fail;
		changer = t;
	}
	for_each_cpu_and(cpu, sender_mask, cpu_online_mask) {
		t = kthread_create(fire, NULL, "nmiprof_fire/%u", cpu);
		err = PTR_ERR_OR_ZERO(t);
		if (err)
			goto fail;
		kthread_bind(t, cpu);
		firing[cpu] = t;
		wake_up_process(t);
	}
	kfree(sender_mask);
	return 0;

fail:
	stop_all();
	kfree(sender_mask);
	return err;
}

static void __exit nmiprof_soak_exit(void)
{
	stop_all();
}

module_init(nmiprof_soak_init);
module_exit(nmiprof_soak_exit);

MODULE_DESCRIPTION("nmiprof: NMIs and handler changes as fast as they go");
MODULE_LICENSE("GPL");
