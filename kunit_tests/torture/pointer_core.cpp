// SPDX-License-Identifier: GPL-2.0-only
// The core's rcu_ptr under torture, read in each context by its own token.
#include "torture.h"

#include "entry.hpp"
#include "rcu.hpp"

using namespace nmiprof;

namespace {

constinit rcu_ptr<torture_object> pointer;

void look(const torture_object *object, torture_reader who) noexcept
{
	if (object)
		torture_look(object, who);
}

} // namespace

extern "C" void torture_pointer_look(torture_reader who) noexcept
{
	switch (who) {
	case TORTURE_NMI:
		return look(pointer.read(entry::nmi()), who);
	case TORTURE_IRQ:
		return look(pointer.read(entry::irq()), who);
	default:
		const rcu_read_guard guard;

		return look(pointer.read(guard), who);
	}
}

extern "C" torture_object *torture_pointer_swap(torture_object *fresh) noexcept
{
	const may_sleep &sleep = entry::process();
	const update_lock lock(sleep);
	torture_object *was = pointer.read(lock);
	retired<torture_object> old = pointer.exchange(lock, fresh);

	if (was)
		torture_object_removed(was);
	return old.reclaim(sleep);
}
