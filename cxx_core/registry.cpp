// SPDX-License-Identifier: GPL-2.0-only
#include "registry.hpp"

#include "core.hpp"
#include "handler_table.hpp"
#include "shim/memory.h"
#include "shim/trace.h"

namespace nmiprof {

using kstd::errc;
using kstd::result;

namespace {

// Spec A1: in place when nothing else is.
unsigned int not_mine(void *, const nmiprof_nmi *) noexcept
{
	return 0;
}

constinit handler_table default_table = {{{not_mine, nullptr, 0}}, false};

unsigned int length(const char *s) noexcept
{
	unsigned int n = 0;

	while (s && n < registry::max_name && s[n])
		n++;
	return n;
}

bool equal(const char *a, const char *b) noexcept
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

handler_table *allocate_table() noexcept
{
	return static_cast<handler_table *>(shim_alloc(sizeof(handler_table), 0));
}

} // namespace

constexpr registry::registry() noexcept : table_(&default_table)
{
}

// Here, as its initial value is: constant initialisation, no constructor runs.
constinit registry handlers;

unsigned int registry::in_use() const noexcept
{
	unsigned int n = 0;

	for (const slot &s : slots_)
		n += s.fn != nullptr;
	return n;
}

void registry::fill(handler_table &table) const noexcept
{
	unsigned int n = 0;

	for (unsigned int i = 1; i < max_handlers; i++)
		if (slots_[i].fn)
			table.entries[n++] = {slots_[i].fn, slots_[i].context,
					      i * sizeof(handler_stats)};
	table.only_profile = n == 1 && table.entries[0].fn == profile::on_nmi;
	while (n <= max_handlers)
		table.entries[n++] = {};
}

// Fills `fresh` from slots_ and makes it the live table. With no handler left the
// default table takes over and `fresh` is kept as the spare.
void registry::publish(const update_lock &lock, const may_sleep &sleep,
		       handler_table *fresh) noexcept
{
	const unsigned int n = in_use();
	const bool late_fill = fault::planted(NMIPROF_FAULT_plain_publish);
	handler_table *live = n ? fresh : &default_table;
	handler_table *freed = nullptr;

	if (!late_fill)
		fill(*fresh);
	if (fault::planted(NMIPROF_FAULT_free_before_unpublish) &&
	    table_.read(lock) != &default_table) {
		shim_free(freed = table_.read(lock));
		shim_fault_gap();
	}

	retired<handler_table> before = table_.exchange(lock, live);

	if (late_fill) {
		shim_fault_gap();
		fill(*fresh);
	}
	before.stays(default_table);

	handler_table *old = before.reclaim(sleep);

	if (freed)
		old = nullptr;

	// No NMI reads the old table or runs what only it named.
	if (live != fresh)
		shim_free(fresh);
	if (!old)
		return;
	if (spare_)
		shim_free(old);
	else
		spare_ = old;
	if (live == &default_table) {
		shim_free(spare_);
		spare_ = nullptr;
	}
}

result<unsigned int> registry::add(const update_lock &lock, const may_sleep &sleep,
				   const char *name, nmiprof_handler_fn fn, void *context) noexcept
{
	const unsigned int len = length(name);
	unsigned int number = 0;

	if (!fn || !len || len == max_name)
		return errc::invalid;
	for (unsigned int i = 1; i < max_handlers; i++) {
		if (slots_[i].fn && equal(slots_[i].name, name))
			return errc::exists;
		if (!slots_[i].fn && !number)
			number = i;
	}
	if (!number)
		return errc::no_space;

	handler_table *fresh = allocate_table();

	if (fresh && !spare_)
		spare_ = allocate_table();
	if (!fresh || !spare_) {
		shim_free(fresh);
		return errc::no_memory;
	}

	slot &s = slots_[number];

	s.fn = fn;
	s.context = context;
	for (unsigned int i = 0; i <= len; i++)
		s.name[i] = name[i];
	// No table names this slot yet: nobody else writes its statistics.
	for (unsigned int cpu = 0; cpu < shim_nr_cpu_ids(); cpu++)
		if (nmiprof_cpu *c = shim_cpu_state(cpu))
			c->handlers[number] = {};
	publish(lock, sleep, fresh);
	shim_trace_handler_registered(number, s.name);
	return number;
}

result<void> registry::replace(const update_lock &lock, const may_sleep &sleep, unsigned int number,
			       nmiprof_handler_fn fn, void *context) noexcept
{
	if (!name(lock, number))
		return errc::no_entry;
	if (!fn)
		return errc::invalid;

	handler_table *fresh = allocate_table();

	if (!fresh)
		return errc::no_memory;
	slots_[number].fn = fn;
	slots_[number].context = context;
	publish(lock, sleep, fresh);
	shim_trace_handler_replaced(number, slots_[number].name);
	return {};
}

result<void> registry::remove(const update_lock &lock, const may_sleep &sleep,
			      unsigned int number) noexcept
{
	if (!name(lock, number))
		return errc::no_entry;
	slots_[number].fn = nullptr;
	publish(lock, sleep, kstd::exchange<handler_table *>(spare_, nullptr));
	shim_trace_handler_unregistered(number, slots_[number].name);
	slots_[number] = {};
	return {};
}

const char *registry::name(const update_lock &, unsigned int number) const noexcept
{
	if (!number || number >= max_handlers || !slots_[number].fn)
		return nullptr;
	return slots_[number].name;
}

} // namespace nmiprof
