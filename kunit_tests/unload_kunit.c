// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading nmiprof itself, and a module that uses it, while NMIs arrive.
 * This module needs none of nmiprof's symbols, so nmiprof can go while it stays. An NMI
 * of ours that comes when nmiprof does not know it any more is counted here.
 */
#include <kunit/test.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/umh.h>

#include <asm/nmi.h>

static char *nmiprof = "/nmiprof/nmiprof.ko";
module_param(nmiprof, charp, 0444);
MODULE_PARM_DESC(nmiprof, "Path of nmiprof.ko");

static char *user = "/nmiprof/user_kunit.ko";
module_param(user, charp, 0444);
MODULE_PARM_DESC(user, "Path of a module that uses nmiprof");

static char *options = "";
module_param(options, charp, 0444);
MODULE_PARM_DESC(options, "More parameters for nmiprof.ko");

static atomic_t strays;

/* There is nobody else's NMI here, and none of ours may come that nmiprof does not know. */
static int stray(unsigned int type, struct pt_regs *regs)
{
	atomic_inc(&strays);
	return 1;
}

/* An applet of busybox, which starts quickly; its status, or -errno. */
static int run(const char *command, const char *arg, const char *more)
{
	/* lint: STATIC_CONST_CHAR_ARRAY: call_usermodehelper() takes no const */
	static char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	char line[256], **argv;
	int status;

	snprintf(line, sizeof(line), "/bin/busybox %s %s %s", command, arg, more);
	argv = argv_split(GFP_KERNEL, line, NULL);
	if (!argv)
		return -ENOMEM;
	status = call_usermodehelper(argv[0], argv, envp, UMH_WAIT_PROC);
	argv_free(argv);
	return status;
}

static int load(const char *parameters)
{
	char all[128];

	snprintf(all, sizeof(all), "%s %s", parameters, options);
	return run("insmod", nmiprof, all);
}

static bool loaded(const char *name)
{
	char path[64];
	struct file *file;

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file))
		return false;
	filp_close(file, NULL);
	return true;
}

static long number_in(const char *path)
{
	char text[32] = "";
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t pos = 0;
	long value;

	if (IS_ERR(file))
		return PTR_ERR(file);
	kernel_read(file, text, sizeof(text) - 1, &pos);
	filp_close(file, NULL);
	return kstrtol(strim(text), 10, &value) ?: value;
}

/* Unloads nmiprof, which leaves no NMI behind that would be nobody's. */
static void unload(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, register_nmi_handler(NMI_UNKNOWN, stray, 0, "kt_stray"), 0);
	KUNIT_EXPECT_EQ(test, run("rmmod", "nmiprof", ""), 0);
	usleep_range(20000, 21000);
	unregister_nmi_handler(NMI_UNKNOWN, "kt_stray");
	KUNIT_EXPECT_EQ(test, atomic_read(&strays), 0);
	KUNIT_EXPECT_FALSE(test, loaded("nmiprof"));
}

static const char *const rates[] = { "997", "10000", "100000" };

static void describe_rate(const char *const *rate, char *desc)
{
	strscpy(desc, *rate, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rate, rates, describe_rate);

static void straight_out_of_sampling(struct kunit *test)
{
	const char *const *rate = test->param_value;
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "enable=1 rate_hz=%s", *rate);
	KUNIT_ASSERT_EQ(test, load(parameters), 0);
	usleep_range(30000, 31000);
	KUNIT_EXPECT_GT(test, number_in("/sys/kernel/nmiprof/stats/handled"), 0L);
	unload(test);
}

static int blocked_for_ms(void *ms)
{
	ktime_t end;

	local_irq_disable();
	end = ktime_add_ms(ktime_get(), (long)ms);
	while (ktime_before(ktime_get(), end))
		cpu_relax();
	local_irq_enable();
	return 0;
}

static void while_a_cpu_is_blocked(struct kunit *test)
{
	struct task_struct *task;

	KUNIT_ASSERT_EQ(test, load("enable=1 rate_hz=5000"), 0);
	task = kthread_create(blocked_for_ms, (void *)300L, "nmiprof_block");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, 1);
	get_task_struct(task);
	wake_up_process(task);
	usleep_range(10000, 11000);
	unload(test);
	kthread_stop(task);
	put_task_struct(task);
}

static void with_a_cpu_offline(struct kunit *test)
{
	if (num_online_cpus() < 3)
		kunit_skip(test, "needs three CPUs");
	KUNIT_ASSERT_EQ(test, load("enable=1 rate_hz=5000"), 0);
	KUNIT_EXPECT_EQ(test, remove_cpu(2), 0);
	unload(test);
	KUNIT_EXPECT_EQ(test, add_cpu(2), 0);
}

static void a_module_that_uses_it_goes_in_mid_fire(struct kunit *test)
{
	int i;

	KUNIT_ASSERT_EQ(test, load("enable=1 rate_hz=10000"), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, run("insmod", user, ""), 0);
		KUNIT_EXPECT_TRUE(test, loaded("user_kunit"));
		usleep_range(20000, 21000);
		KUNIT_EXPECT_EQ(test, run("rmmod", "user_kunit", ""), 0);
		KUNIT_EXPECT_FALSE(test, loaded("user_kunit"));
	}
	unload(test);
}

static void it_stays_while_another_module_uses_it(struct kunit *test)
{
	long before;

	KUNIT_ASSERT_EQ(test, load(""), 0);
	KUNIT_ASSERT_EQ(test, run("insmod", user, ""), 0);
	KUNIT_EXPECT_NE(test, run("rmmod", "nmiprof", ""), 0);
	KUNIT_EXPECT_TRUE(test, loaded("nmiprof"));
	before = number_in("/sys/kernel/nmiprof/stats/handled");
	usleep_range(20000, 21000);
	KUNIT_EXPECT_GT(test, number_in("/sys/kernel/nmiprof/stats/handled"), before);
	/* It is never switched on here: all that is on its way was asked for by the user. */
	KUNIT_EXPECT_EQ(test, run("rmmod", "user_kunit", ""), 0);
	unload(test);
}

static void refused_parameters_leave_nothing_behind(struct kunit *test)
{
	KUNIT_EXPECT_NE(test, load("enable=1 rate_hz=100001"), 0);
	KUNIT_EXPECT_FALSE(test, loaded("nmiprof"));
	KUNIT_EXPECT_NE(test, load("enable=1 cpus=none"), 0);
	KUNIT_EXPECT_FALSE(test, loaded("nmiprof"));
	KUNIT_EXPECT_EQ(test, load("enable=1"), 0);
	unload(test);
}

static int begin(struct kunit *test)
{
	set_cpus_allowed_ptr(current, cpumask_of(0));
	atomic_set(&strays, 0);
	return loaded("nmiprof") ? -EBUSY : 0;
}

static void end(struct kunit *test)
{
	if (loaded("user_kunit"))
		run("rmmod", "user_kunit", "");
	if (loaded("nmiprof"))
		run("rmmod", "nmiprof", "");
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(straight_out_of_sampling, rate_gen_params),
	KUNIT_CASE(while_a_cpu_is_blocked),
	KUNIT_CASE(with_a_cpu_offline),
	KUNIT_CASE(a_module_that_uses_it_goes_in_mid_fire),
	KUNIT_CASE(it_stays_while_another_module_uses_it),
	KUNIT_CASE(refused_parameters_leave_nothing_behind),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_unload",
	.init = begin,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, unloading");
MODULE_LICENSE("GPL");
