// SPDX-License-Identifier: GPL-2.0-only
/* Updaters of nmiprof's dynamic NMI handlers, whose objects the handlers look at. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/slab.h>

#include "nmiprof.h"
#include "torture.h"

/* lint: AVOID_EXTERNS: exported for modules like this, declared in kernel/rcu/rcu.h only */
void rcu_expedite_gp(void);
void rcu_unexpedite_gp(void);

static struct task_struct **writers, **fakewriters;

static unsigned int run(const struct torture_object *object, int kind,
			const struct nmiprof_nmi *nmi)
{
	torture_look(object, TORTURE_NMI);
	if (READ_ONCE(object->kind) != kind)
		torture_fail("a handler ran with the data of another one");
	torture_pointer_look(TORTURE_NMI);
	if (torture_one_in(torture_slow_every))
		udelay(torture_slow_us);
	/* Greedy: claims what is not its own, but not what is nobody's: that would hide it. */
	return torture_greedy && (nmi->how & NMIPROF_FOREIGN) == 0;
}

/* Two functions, so that a replace changes function and data together. */
static unsigned int handler_a(void *context, const struct nmiprof_nmi *nmi)
{
	return run(context, 'a', nmi);
}

static unsigned int handler_b(void *context, const struct nmiprof_nmi *nmi)
{
	return run(context, 'b', nmi);
}

static nmiprof_handler_fn function(int kind)
{
	return kind == 'a' ? handler_a : handler_b;
}

/* One writer's handler. */
struct writer {
	char name[16];
	int number; /* 0: not registered */
	struct torture_object *current_object;
	struct torture_pipe pipe;
};

/*
 * Replaces or unregisters, and holds nmiprof to its word: a grace period must have
 * passed when it returns, of whatever kind.
 */
static void take_away(struct writer *w, struct torture_object *fresh)
{
	struct rcu_gp_oldstate before;
	int err;

	torture_object_removed(w->current_object);
	get_state_synchronize_rcu_full(&before);
	if (fresh)
		err = nmiprof_replace(w->number, function(fresh->kind), fresh);
	else
		err = nmiprof_unregister(w->number);
	if (err) {
		/* Only a replace may want for memory, and then all is as it was. */
		if (err == -ENOMEM && fresh)
			torture_did(TORTURE_NO_MEMORY);
		else
			torture_fail("a handler could not be replaced or unregistered");
		WRITE_ONCE(w->current_object->age, 0);
		if (fresh)
			torture_object_age(&w->pipe, fresh);
		return;
	}
	if (!poll_state_synchronize_rcu_full(&before))
		torture_fail("a handler was taken away without a grace period");
	torture_object_age(&w->pipe, w->current_object);
	w->current_object = fresh;
	if (!fresh)
		w->number = 0;
	torture_did(fresh ? TORTURE_REPLACES : TORTURE_UNREGISTERS);
}

static void one_update(struct writer *w)
{
	struct torture_object *fresh;
	int number;

	if (w->number && torture_one_in(4)) {
		take_away(w, NULL);
		return;
	}
	fresh = torture_object_get(torture_one_in(2) ? 'a' : 'b');
	if (!fresh)
		return;
	if (w->number) {
		take_away(w, fresh);
		return;
	}
	number = nmiprof_register(w->name, function(fresh->kind), fresh);
	if (number <= 0) {
		if (number == -ENOMEM)
			torture_did(TORTURE_NO_MEMORY);
		else
			torture_fail("a handler could not be registered");
		torture_object_age(&w->pipe, fresh);
		return;
	}
	w->number = number;
	w->current_object = fresh;
	torture_did(TORTURE_REGISTERS);
}

static int write(void *number)
{
	struct writer w = { .pipe = { LIST_HEAD_INIT(w.pipe.list) } };

	snprintf(w.name, sizeof(w.name), "torture/%lu", (unsigned long)number);
	while (torture_go_on()) {
		const bool expedited = torture_gp_exp && torture_one_in(3);

		if (expedited)
			rcu_expedite_gp();
		one_update(&w);
		if (expedited)
			rcu_unexpedite_gp();
		torture_pipe_age(&w.pipe);
	}
	if (w.number)
		take_away(&w, NULL);
	return 0;
}

static unsigned int nothing(void *context, const struct nmiprof_nmi *nmi)
{
	return 0;
}

static int fakewrite(void *number)
{
	char name[16];

	snprintf(name, sizeof(name), "fake/%lu", (unsigned long)number);
	while (torture_go_on()) {
		int handler = nmiprof_register(name, nothing, NULL);

		if (handler == -ENOMEM)
			torture_did(TORTURE_NO_MEMORY);
		else if (handler <= 0 || nmiprof_unregister(handler))
			torture_fail("a fake handler could not be registered and unregistered");
		if (nmiprof_register("", nothing, NULL) != -EINVAL ||
		    nmiprof_unregister(-1) != -ENOENT)
			torture_fail("nonsense was not refused");
		usleep_range(100, 2000);
	}
	return 0;
}

static int start(struct task_struct ***threads, unsigned int n, int (*fn)(void *),
		 const char *name)
{
	unsigned long i;

	*threads = kcalloc(n, sizeof(**threads), GFP_KERNEL);
	if (!*threads)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		(*threads)[i] = torture_thread(fn, (void *)i, -1, name);
		if (!(*threads)[i])
			return -ENOMEM;
	}
	return 0;
}

int torture_handlers_start(void)
{
	return start(&writers, torture_nwriters, write, "torture_write") ?:
	       start(&fakewriters, torture_nfakewriters, fakewrite, "torture_fake");
}

void torture_handlers_stop(void)
{
	unsigned int i;

	for (i = 0; writers && i < torture_nwriters; i++)
		torture_thread_stop(&writers[i]);
	for (i = 0; fakewriters && i < torture_nfakewriters; i++)
		torture_thread_stop(&fakewriters[i]);
	kfree(writers);
	kfree(fakewriters);
}
