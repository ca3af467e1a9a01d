// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "shim/clock.h"
#include "shim/cpu.h"
#include "support_kunit.h"

#define PATIENCE_MS 1000

/* --- The ledger ------------------------------------------------------------- */

static shim_u64 *field_of(struct kt_ledger *l, const char *name)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
#define FIELD(f) { #f, offsetof(struct kt_ledger, f) }
		FIELD(due), FIELD(sent), FIELD(coalesced), FIELD(handled), FIELD(outstanding),
		FIELD(late), FIELD(foreign), FIELD(overflows), FIELD(samples), FIELD(binned),
		FIELD(user), FIELD(idle), FIELD(no_buffer), FIELD(out_of_range),
		FIELD(perf_due), FIELD(perf_delivered), FIELD(perf_excluded), FIELD(perf_throttled),
#undef FIELD
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].name, name))
			return (void *)l + fields[i].at;
	if (str_has_prefix(name, "skipped_"))
		return &l->skipped;
	if (str_has_prefix(name, "lost_"))
		return &l->lost;
	return NULL;
}

static int add_ledger(unsigned int cpu, struct kt_ledger *l)
{
	shim_u64 terms[NMIPROF_MAX_TERMS];
	int i, err = nmiprof_core_ledger(cpu, terms);

	for (i = 0; !err && i < nmiprof_core_terms(); i++) {
		shim_u64 *field = field_of(l, nmiprof_core_term_name(i));

		if (!field)
			return -ENOENT;
		*field += terms[i];
	}
	return err;
}

int kt_ledger(unsigned int cpu, struct kt_ledger *l)
{
	memset(l, 0, sizeof(*l));
	return add_ledger(cpu, l);
}
EXPORT_SYMBOL_GPL(kt_ledger);

int kt_ledger_total(struct kt_ledger *l)
{
	unsigned int cpu;
	int err = 0;

	memset(l, 0, sizeof(*l));
	for_each_possible_cpu(cpu)
		err = err ?: add_ledger(cpu, l);
	return err;
}
EXPORT_SYMBOL_GPL(kt_ledger_total);

const char *kt_imbalance(const struct kt_ledger *l)
{
	if (l->due != l->sent + l->coalesced + l->skipped)
		return "due != sent + coalesced + skipped";
	if (l->sent != l->handled + l->outstanding + l->lost)
		return "sent != handled + outstanding + lost";
	if (l->samples != kt_in_buffers(l) + l->no_buffer)
		return "samples != binned + user + idle + no_buffer + out_of_range";
	if (l->perf_due != l->perf_delivered + l->perf_excluded + l->perf_throttled)
		return "perf_due != perf_delivered + perf_excluded + perf_throttled";
	return NULL;
}
EXPORT_SYMBOL_GPL(kt_imbalance);

/* --- Settings --------------------------------------------------------------- */

static int configure(const struct nmiprof_settings *s, unsigned int fields)
{
	int err;

	shim_cpus_lock();
	err = nmiprof_core_configure(s, fields);
	shim_cpus_unlock();
	return err;
}

int kt_rate(shim_u64 hz)
{
	const struct nmiprof_settings s = { .rate_hz = hz };

	return configure(&s, NMIPROF_RATE_HZ);
}
EXPORT_SYMBOL_GPL(kt_rate);

int kt_shape(shim_u64 granularity, bool shared)
{
	const struct nmiprof_settings s = { .granularity = granularity, .shared_layout = shared };

	return configure(&s, NMIPROF_GRANULARITY | NMIPROF_LAYOUT);
}
EXPORT_SYMBOL_GPL(kt_shape);

int kt_cpus(const char *list)
{
	struct nmiprof_settings s = { .all_cpus = !list || !strcmp(list, "all") };
	cpumask_var_t mask;
	int err = 0;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (!s.all_cpus)
		err = cpulist_parse(list, mask);
	s.cpus = cpumask_bits(mask);
	err = err ?: configure(&s, NMIPROF_CPUS);
	free_cpumask_var(mask);
	return err;
}
EXPORT_SYMBOL_GPL(kt_cpus);

int kt_enable(void)
{
	int err;

	shim_cpus_lock();
	err = nmiprof_core_enable();
	shim_cpus_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(kt_enable);

void kt_disable(void)
{
	shim_cpus_lock();
	nmiprof_core_disable();
	shim_cpus_unlock();
}
EXPORT_SYMBOL_GPL(kt_disable);

/* --- Threads ---------------------------------------------------------------- */

#define MAX_THREADS 16

static struct thread {
	struct task_struct *task;
	void (*fn)(void *arg);
	void *arg;
} threads[MAX_THREADS];

static int thread_main(void *data)
{
	struct thread *t = data;

	while (!kthread_should_stop()) {
		t->fn(t->arg);
		cond_resched();
	}
	return 0;
}

int kt_thread(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct task_struct *task;
	struct thread *t = threads;

	while (t->task)
		if (++t == threads + MAX_THREADS)
			return -ENOSPC;
	t->fn = fn;
	t->arg = arg;
	task = kthread_create(thread_main, t, "nmiprof_test/%d", (int)cpu);
	if (IS_ERR(task))
		return PTR_ERR(task);
	if (cpu != KT_ANY_CPU)
		kthread_bind(task, cpu);
	t->task = task;
	wake_up_process(task);
	return 0;
}
EXPORT_SYMBOL_GPL(kt_thread);

static void fire_once(void *arg)
{
	const unsigned long us = (unsigned long)arg;
	unsigned int cpu;

	for_each_online_cpu(cpu)
		nmiprof_sample(cpu);
	if (us)
		usleep_range(us, us + us / 4 + 1);
}

int kt_fire(unsigned int us)
{
	void *arg = (void *)(unsigned long)us;
	unsigned int cpu, n = 0;
	int err = 0;

	for_each_online_cpu(cpu)
		if (!err && n++ < 2)
			err = kt_thread(cpu, fire_once, arg);
	return err;
}
EXPORT_SYMBOL_GPL(kt_fire);

void kt_threads_stop(void)
{
	struct thread *t;

	for (t = threads; t < threads + MAX_THREADS; t++)
		if (t->task) {
			kthread_stop(t->task);
			t->task = NULL;
		}
}
EXPORT_SYMBOL_GPL(kt_threads_stop);

/* --- Blocked CPUs ----------------------------------------------------------- */

static int unblocked;
static atomic_t spinning;

static noinline void spin(unsigned int ms)
{
	const shim_u64 limit = (shim_u64)ms * shim_cycles_per_ms();
	shim_u32 last = shim_cycles();
	shim_u64 gone = 0;

	while (gone < limit && !READ_ONCE(unblocked)) {
		const shim_u32 now = shim_cycles();

		gone += (shim_u32)(now - last);
		last = now;
		cpu_relax();
	}
}

static void block(void *unused)
{
	unsigned long flags;

	if (READ_ONCE(unblocked)) {
		usleep_range(100, 200);
		return;
	}
	local_irq_save(flags);
	atomic_inc(&spinning);
	spin(2 * PATIENCE_MS);
	atomic_dec(&spinning);
	local_irq_restore(flags);
	WRITE_ONCE(unblocked, 1);
}

int kt_block(unsigned int cpu)
{
	const int before = atomic_read(&spinning);
	ktime_t end = ktime_add_ms(ktime_get(), PATIENCE_MS);
	int err;

	WRITE_ONCE(unblocked, 0);
	err = kt_thread(cpu, block, NULL);
	if (err)
		return err;
	while (atomic_read(&spinning) == before) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(kt_block);

void kt_unblock(void)
{
	WRITE_ONCE(unblocked, 1);
	while (atomic_read(&spinning))
		usleep_range(50, 100);
}
EXPORT_SYMBOL_GPL(kt_unblock);

bool kt_is_spin(unsigned long address)
{
	return within_module(address, THIS_MODULE);
}
EXPORT_SYMBOL_GPL(kt_is_spin);

bool kt_spin_until(const int *flag, unsigned int ms)
{
	const shim_u64 limit = (shim_u64)ms * shim_cycles_per_ms();
	shim_u32 last = shim_cycles();
	shim_u64 gone = 0;

	/* Pairs with kt_tell(). */
	while (!smp_load_acquire(flag)) {
		const shim_u32 now = shim_cycles();

		gone += (shim_u32)(now - last);
		last = now;
		if (gone > limit)
			return false;
		cpu_relax();
	}
	return true;
}
EXPORT_SYMBOL_GPL(kt_spin_until);

void kt_tell(int *flag)
{
	/* Pairs with kt_spin_until(). */
	smp_store_release(flag, 1);
}
EXPORT_SYMBOL_GPL(kt_tell);

/* --- NMIs ------------------------------------------------------------------- */

#define MAX_HANDLERS 16

static int handler_numbers[MAX_HANDLERS];

int kt_handler_add(const char *name, nmiprof_handler_fn fn, void *context)
{
	const int number = nmiprof_register(name, fn, context);

	if (number > 0)
		handler_numbers[number] = number;
	return number;
}
EXPORT_SYMBOL_GPL(kt_handler_add);

int kt_handler_remove(int number)
{
	if (number > 0 && number < MAX_HANDLERS)
		handler_numbers[number] = 0;
	return nmiprof_unregister(number);
}
EXPORT_SYMBOL_GPL(kt_handler_remove);

void kt_sleep(unsigned int ms)
{
	usleep_range(ms * 1000, ms * 1000 + 100);
}
EXPORT_SYMBOL_GPL(kt_sleep);

bool kt_quiet(void)
{
	ktime_t end = ktime_add_ms(ktime_get(), PATIENCE_MS);
	struct kt_ledger l;

	while (!kt_ledger_total(&l) && l.outstanding) {
		if (ktime_after(ktime_get(), end))
			return false;
		usleep_range(50, 100);
	}
	return true;
}
EXPORT_SYMBOL_GPL(kt_quiet);

bool kt_sampled(unsigned int cpu)
{
	ktime_t end = ktime_add_ms(ktime_get(), 2 * PATIENCE_MS);
	struct kt_ledger was, is;

	if (kt_ledger(cpu, &was))
		return false;
	do {
		usleep_range(1000, 1100);
		if (kt_ledger(cpu, &is) || ktime_after(ktime_get(), end))
			return false;
	} while (is.handled < was.handled + 2);
	return true;
}
EXPORT_SYMBOL_GPL(kt_sampled);

bool kt_tick(unsigned int cpu)
{
	ktime_t end = ktime_add_ms(ktime_get(), PATIENCE_MS);
	struct kt_ledger before, now;

	if (kt_ledger(cpu, &before))
		return false;
	do {
		nmiprof_sample(cpu);
		usleep_range(50, 100);
		if (kt_ledger(cpu, &now) || ktime_after(ktime_get(), end))
			return false;
	} while (now.handled == before.handled);
	return true;
}
EXPORT_SYMBOL_GPL(kt_tick);

/* What is to be called where; one at a time, and larger than a stack likes. */
static struct {
	void (*fn)(void *arg);
	void *arg;
	struct cpumask wanted, entered, done;
} call;

/* Bit by bit, as others set theirs meanwhile. */
static bool all_wanted_in(const struct cpumask *have)
{
	unsigned int cpu;

	for_each_cpu(cpu, &call.wanted)
		if (!cpumask_test_cpu(cpu, have))
			return false;
	return true;
}

static bool all_have_entered(unsigned int ms)
{
	const shim_u64 limit = (shim_u64)ms * shim_cycles_per_ms();
	const shim_u32 began = shim_cycles();

	while (!all_wanted_in(&call.entered)) {
		if ((shim_u32)(shim_cycles() - began) > limit)
			return false;
		cpu_relax();
	}
	return true;
}

static unsigned int call_handler(void *context, const struct nmiprof_nmi *nmi)
{
	const unsigned int cpu = smp_processor_id();

	if (!cpumask_test_cpu(cpu, &call.wanted) || cpumask_test_cpu(cpu, &call.done))
		return 0;
	cpumask_set_cpu(cpu, &call.entered);
	/* Not all came in time: another NMI will find them. */
	if (!all_have_entered(20)) {
		cpumask_clear_cpu(cpu, &call.entered);
		return 0;
	}
	call.fn(call.arg);
	/* What fn() did is seen by whoever sees it done. */
	smp_mb__before_atomic();
	cpumask_set_cpu(cpu, &call.done);
	return 0;
}

static int call_in_nmi(const struct cpumask *cpus, void (*fn)(void *arg), void *arg)
{
	ktime_t end = ktime_add_ms(ktime_get(), PATIENCE_MS);
	unsigned int cpu;
	int number, err = 0;

	call.fn = fn;
	call.arg = arg;
	cpumask_copy(&call.wanted, cpus);
	cpumask_clear(&call.entered);
	cpumask_clear(&call.done);
	number = kt_handler_add("kt_in_nmi", call_handler, NULL);
	if (number < 0)
		return number;
	while (!all_wanted_in(&call.done) && !err) {
		for_each_cpu(cpu, &call.wanted)
			nmiprof_sample(cpu);
		usleep_range(100, 200);
		if (ktime_after(ktime_get(), end))
			err = -ETIMEDOUT;
	}
	kt_handler_remove(number);
	return err;
}

int kt_in_nmi(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	return call_in_nmi(cpumask_of(cpu), fn, arg);
}
EXPORT_SYMBOL_GPL(kt_in_nmi);

int kt_in_nmis(void (*fn)(void *arg), void *arg)
{
	return call_in_nmi(cpu_online_mask, fn, arg);
}
EXPORT_SYMBOL_GPL(kt_in_nmis);

/* --- Files ------------------------------------------------------------------ */

ssize_t kt_put(const char *path, const char *bytes, size_t count)
{
	struct file *file = filp_open(path, O_WRONLY, 0);
	loff_t pos = 0;
	ssize_t done;

	if (IS_ERR(file))
		return PTR_ERR(file);
	done = kernel_write(file, bytes, count, &pos);
	filp_close(file, NULL);
	return done;
}
EXPORT_SYMBOL_GPL(kt_put);

ssize_t kt_get(const char *path, char *text, size_t room)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t pos = 0;
	ssize_t done;

	if (IS_ERR(file))
		return PTR_ERR(file);
	done = kernel_read(file, text, room - 1, &pos);
	filp_close(file, NULL);
	text[max_t(ssize_t, done, 0)] = '\0';
	return done;
}
EXPORT_SYMBOL_GPL(kt_get);

/* --- Grace periods ---------------------------------------------------------- */

static const struct kt_grace kt_graces[2] = { { "normal", false }, { "expedited", true } };

const void *kt_grace_gen_params(const void *prev, char *desc)
{
	const struct kt_grace *g = prev ? (const struct kt_grace *)prev + 1 : kt_graces;

	if (g == kt_graces + ARRAY_SIZE(kt_graces))
		return NULL;
	strscpy(desc, g->name, KUNIT_PARAM_DESC_SIZE);
	return g;
}
EXPORT_SYMBOL_GPL(kt_grace_gen_params);

void kt_grace_begin(struct kunit *test, const struct kt_grace *grace)
{
	KUNIT_EXPECT_EQ(test, kt_put("/sys/kernel/rcu_expedited", grace->expedited ? "1" : "0", 1),
			1L);
}
EXPORT_SYMBOL_GPL(kt_grace_begin);

/* --- Reports ---------------------------------------------------------------- */

int kt_report(int drain, struct kt_report *sums)
{
	struct nmiprof_report_info info;
	struct nmiprof_report *report;
	struct nmiprof_row row;
	shim_u64 at;
	int err = nmiprof_core_report(drain, &report);

	if (err)
		return err;
	memset(sums, 0, sizeof(*sums));
	nmiprof_core_report_info(report, &info);
	for (at = 0; at < info.bins + info.outside_rows; at++) {
		nmiprof_core_report_row(report, at, &row);
		sums->binned += row.total;
		sums->irqs_off += row.irqs_off;
		if (at >= info.bins && kt_is_spin(row.address))
			sums->spinning_irqs_off += row.irqs_off;
	}
	sums->samples = info.samples;
	if (info.samples != sums->binned + info.user + info.idle + info.out_of_range)
		err = -EINVAL;
	nmiprof_core_report_free(report);
	return err;
}
EXPORT_SYMBOL_GPL(kt_report);

/* --- Before and after each test --------------------------------------------- */

int kt_init(struct kunit *test)
{
	/* So that no test waits on a CPU that it has blocked. */
	set_cpus_allowed_ptr(current, cpumask_of(0));
	/* Small buffers: most tests have no use for fine ones, which take time to make. */
	return kt_rate(997) ?: kt_shape(65536, false) ?: kt_cpus(NULL);
}
EXPORT_SYMBOL_GPL(kt_init);

static void expedite(bool on)
{
	kt_put("/sys/kernel/rcu_expedited", on ? "1" : "0", 1);
}

void kt_exit(struct kunit *test)
{
	struct kt_report sums;
	int i;

	kt_unblock();
	kt_threads_stop();
	expedite(true);
	for (i = 1; i < MAX_HANDLERS; i++)
		if (handler_numbers[i])
			kt_handler_remove(i);
	kt_disable();
	kt_report(1, &sums);
	expedite(false);
}
EXPORT_SYMBOL_GPL(kt_exit);

MODULE_DESCRIPTION("nmiprof: what the KUnit suites share");
MODULE_LICENSE("GPL");
