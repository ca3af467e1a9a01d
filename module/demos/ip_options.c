// SPDX-License-Identifier: GPL-2.0-only
/* IP options: senders copy them into packets, setters replace them (spec D5). */
#include "demos/ip_options.h"
#include "experiment.h"

static const char *const ways[] = { "rcu", "refcount", NULL };

/* Senders, and what is counted of a sender and of all */

enum { PACKETS, WITHOUT_OPTIONS, TORN, SEEN_FREED };

static u64 of_sent(const struct ip_options_sent *seen, unsigned int what)
{
	return what == PACKETS ? seen->packets :
	       what == WITHOUT_OPTIONS ? seen->without_options :
	       what == TORN ? seen->torn : seen->seen_freed;
}

/* lint: COMPLEX_MACRO, MACRO_ARG_REUSE: makes items of a list */
#define SENT_VALUES(_get) \
	DEMO_VALUE_RO(packets, PACKETS, _get), \
	DEMO_VALUE_RO(without_options, WITHOUT_OPTIONS, _get), \
	DEMO_VALUE_RO(torn, TORN, _get), \
	DEMO_VALUE_RO(seen_freed, SEEN_FREED, _get)

static void sender_init(struct demo_thread *thread)
{
	thread->cpu = thread->nr;
	thread->interval_us = 1000;
}

static unsigned int sender_turn(struct demo_thread *thread)
{
	struct ip_options_sent *all = thread->of_role, seen;

	ip_options_send(&thread->stopping, &seen);
	spin_lock(&thread->lock);
	all->packets += seen.packets;
	all->without_options += seen.without_options;
	all->torn += seen.torn;
	all->seen_freed += seen.seen_freed;
	spin_unlock(&thread->lock);
	return 0;
}

static int sender_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct demo_thread *thread = demo_thread_of(owner);

	spin_lock(&thread->lock);
	*value = of_sent(thread->of_role, what);
	spin_unlock(&thread->lock);
	return 0;
}

static struct demo_value sender_values[] = {
	SENT_VALUES(sender_get),
	{ }
};

static const struct demo_role sender = {
	.name = "sender",
	.plural = "senders",
	.count = 3,
	.init = sender_init,
	.turn = sender_turn,
	.values = sender_values,
	.data_bytes = sizeof(struct ip_options_sent),
};

/* Setters: their turns are what they set, but for those that failed. */

static void setter_init(struct demo_thread *thread)
{
	thread->cpu = 3 + thread->nr;
	thread->interval_us = 1000;
}

static unsigned int setter_turn(struct demo_thread *thread)
{
	return ip_options_replace() != 0;
}

static const struct demo_role setter = {
	.name = "setter",
	.plural = "setters",
	.count = 1,
	.init = setter_init,
	.turn = setter_turn,
};

/* All */

static int setting_get(struct kobject *owner, unsigned int what, u64 *value)
{
	*value = ip_options_get(what);
	return 0;
}

static int setting_set(struct kobject *owner, unsigned int what, u64 value)
{
	ip_options_set(what, value);
	return 0;
}

static int sent_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct ip_options_counts counts;

	ip_options_count(&counts);
	*value = of_sent(&counts.sent, what);
	return 0;
}

enum { SETS, PUT_LAST_BY_SENDER, WAITING, THROTTLED };

static int count_get(struct kobject *owner, unsigned int what, u64 *value)
{
	struct ip_options_counts counts;

	ip_options_count(&counts);
	*value = what == SETS ? counts.sets :
		 what == PUT_LAST_BY_SENDER ? counts.put_last_by_sender :
		 what == WAITING ? counts.waiting : counts.throttled;
	return 0;
}

static struct demo_value values[] = {
	DEMO_VALUE_RW(senders_use, IP_OPTIONS_WAY, setting_get, setting_set, .names = ways),
	DEMO_VALUE_RW(batch, IP_OPTIONS_BATCH, setting_get, setting_set,
		      .least = 1, .most = U32_MAX),
	DEMO_VALUE_RW(backlog_max, IP_OPTIONS_BACKLOG_MAX, setting_get, setting_set),
	SENT_VALUES(sent_get),
	DEMO_VALUE_RO(sets, SETS, count_get),
	DEMO_VALUE_RO(put_last_by_sender, PUT_LAST_BY_SENDER, count_get),
	DEMO_VALUE_RO(waiting, WAITING, count_get),
	DEMO_VALUE_RO(throttled, THROTTLED, count_get),
	{ }
};

struct demo_experiment demo_ip_options = {
	.name = "ip_options",
	.roles = { &sender, &setter },
	.values = values,
	.init = ip_options_init,
	.prepare = ip_options_prepare,
	.dismantle = ip_options_clear,
	.objects = ip_options_objects,
};
