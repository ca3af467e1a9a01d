// SPDX-License-Identifier: GPL-2.0-only
// The PID table's extern "C" side.
#include "demos/pid_table.h"
#include "demos/pid_table.hpp"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::to_errno;
using nmiprof::entry;
using nmiprof::may_sleep;

namespace {

static_assert(PID_TABLE_MAX_PIDS == pid_table::max_pids);
static_assert(PID_TABLE_SPINLOCK == static_cast<int>(pid_way::spinlock));
static_assert(PID_TABLE_AT_ONCE == static_cast<int>(pid_put::at_once));

} // namespace

extern "C" {

void pid_table_init(void) noexcept
{
	the_pids.init();
}

int pid_table_fill(void) noexcept
{
	const may_sleep &sleep = entry::process();
	const int err = to_errno(the_pids.fill(sleep).error());

	if (err)
		the_pids.clear(sleep);
	return err;
}

void pid_table_clear(void) noexcept
{
	the_pids.clear(entry::process());
}

shim_u64 pid_table_get(pid_table_setting what) noexcept
{
	switch (what) {
	case PID_TABLE_WAY:
		return static_cast<shim_u64>(the_pids.way.load_relaxed());
	case PID_TABLE_PUT:
		return static_cast<shim_u64>(the_pids.put.load_relaxed());
	case PID_TABLE_PIDS:
		return the_pids.pids.load_relaxed();
	case PID_TABLE_BATCH:
		return the_pids.batch.load_relaxed();
	case PID_TABLE_USE_US:
		return the_pids.use_us.load_relaxed();
	default:
		return the_pids.waiting.max.load_relaxed();
	}
}

void pid_table_set(pid_table_setting what, shim_u64 value) noexcept
{
	switch (what) {
	case PID_TABLE_WAY:
		return the_pids.way.store_relaxed(static_cast<pid_way>(value));
	case PID_TABLE_PUT:
		return the_pids.put.store_relaxed(static_cast<pid_put>(value));
	case PID_TABLE_PIDS:
		return the_pids.pids.store_relaxed(static_cast<shim_u32>(value));
	case PID_TABLE_BATCH:
		return the_pids.batch.store_relaxed(static_cast<shim_u32>(value));
	case PID_TABLE_USE_US:
		return the_pids.use_us.store_relaxed(value);
	default:
		return the_pids.waiting.max.store_relaxed(value);
	}
}

void pid_table_look_up(const shim_u32 *stopping, pid_table_lookups *out) noexcept
{
	const pid_lookups seen = the_pids.look_up_some(
		entry::process(), *reinterpret_cast<const kstd::atomic<shim_u32> *>(stopping));

	*out = {seen.hits, seen.misses, seen.lost_races, seen.seen_freed, seen.wrong_pid};
}

int pid_table_change(shim_u32 *inserts) noexcept
{
	const pid_table::change done = the_pids.insert_or_remove(entry::process());

	*inserts = done.inserts;
	return to_errno(done.error);
}

void pid_table_count(pid_table_counts *out) noexcept
{
	const pid_table::counters &c = the_pids.count;

	out->waiting = the_pids.waiting.size();
	out->throttled = the_pids.waiting.throttled.load_relaxed();
	out->lookups = {c.hits.load_relaxed(), c.misses.load_relaxed(), c.lost_races.load_relaxed(),
			c.seen_freed.load_relaxed(), c.wrong_pid.load_relaxed()};
	out->inserts = c.inserts.load_relaxed();
	out->removes = c.removes.load_relaxed();
	out->put_last_by_reader = c.put_last_by_reader.load_relaxed();
	out->put_last_by_callback = c.put_last_by_callback.load_relaxed();
	out->put_last_by_writer = c.put_last_by_writer.load_relaxed();
}

void pid_table_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_pids.count.copy(allocated, freed);
}

} // extern "C"
