// SPDX-License-Identifier: GPL-2.0-only
// The IP options' extern "C" side.
#include "demos/ip_options.h"
#include "demos/ip_options.hpp"
#include "entry.hpp"

using namespace rcu_demo;
using kstd::to_errno;
using nmiprof::entry;

static_assert(IP_OPTIONS_REFCOUNT == static_cast<int>(ip_way::refcount));

extern "C" {

void ip_options_init(void) noexcept
{
	the_socket.init();
}

int ip_options_prepare(void) noexcept
{
	return to_errno(the_socket.set(entry::process(), false).error());
}

void ip_options_clear(void) noexcept
{
	the_socket.clear(entry::process());
}

shim_u64 ip_options_get(ip_options_setting what) noexcept
{
	switch (what) {
	case IP_OPTIONS_WAY:
		return static_cast<shim_u64>(the_socket.way.load_relaxed());
	case IP_OPTIONS_BATCH:
		return the_socket.batch.load_relaxed();
	default:
		return the_socket.waiting.max.load_relaxed();
	}
}

void ip_options_set(ip_options_setting what, shim_u64 value) noexcept
{
	switch (what) {
	case IP_OPTIONS_WAY:
		return the_socket.way.store_relaxed(static_cast<ip_way>(value));
	case IP_OPTIONS_BATCH:
		return the_socket.batch.store_relaxed(static_cast<shim_u32>(value));
	default:
		return the_socket.waiting.max.store_relaxed(value);
	}
}

void ip_options_send(const shim_u32 *stopping, ip_options_sent *out) noexcept
{
	const ip_sent seen = the_socket.send_some(
		entry::process(), *reinterpret_cast<const kstd::atomic<shim_u32> *>(stopping));

	*out = {seen.packets, seen.without_options, seen.torn, seen.seen_freed};
}

int ip_options_replace(void) noexcept
{
	return to_errno(the_socket.set_some(entry::process()).error());
}

void ip_options_count(ip_options_counts *out) noexcept
{
	const ip_socket::counters &c = the_socket.count;

	out->waiting = the_socket.waiting.size();
	out->throttled = the_socket.waiting.throttled.load_relaxed();
	out->sent = {c.packets.load_relaxed(), c.without_options.load_relaxed(),
		     c.torn.load_relaxed(), c.seen_freed.load_relaxed()};
	out->sets = c.sets.load_relaxed();
	out->put_last_by_sender = c.put_last_by_sender.load_relaxed();
}

void ip_options_objects(shim_u64 *allocated, shim_u64 *freed) noexcept
{
	the_socket.count.copy(allocated, freed);
}

} // extern "C"
