// SPDX-License-Identifier: GPL-2.0-only
#include "demos/ip_options.hpp"

#include "shim/object.h"
#include "shim/random.h"
#include "shim/sched.h"

namespace rcu_demo {

using kstd::errc;
using kstd::result;
using kstd::uint32_t;
using kstd::uint8_t;
using nmiprof::rcu_read_guard;
using nmiprof::retired;

constinit ip_socket the_socket;

// Any one byte that differs changes it (FNV-1a), and so does the length, which may be any
// number when it is torn.
uint32_t ip_option_bytes::sum() const noexcept
{
	uint32_t s = 2166136261u ^ length;

	for (uint32_t i = 0; i < length && i < max_length; i++)
		s = (s ^ bytes[i]) * 16777619u;
	return s;
}

void ip_socket::init() noexcept
{
	lock_.init();
}

// The setter

ip_options *ip_socket::make_options(const may_sleep &) noexcept
{
	void *place = shim_object_alloc(sizeof(ip_options));

	if (!place)
		return nullptr;
	ip_options *o = new (kstd::here{place}) ip_options;

	o->is.alive = ip_option_bytes::mark;
	o->is.length = shim_random() % (ip_option_bytes::max_length + 1);
	for (uint32_t i = 0; i < o->is.length; i++)
		o->is.bytes[i] = static_cast<uint8_t>(shim_random());
	o->is.checksum = o->is.sum();
	count.allocated.add_relaxed(1);
	return o;
}

retired<ip_options> ip_socket::exchange(ip_options *fresh) noexcept
{
	const socket_lock held(lock_);

	return options_.exchange(held, fresh);
}

// true: that was the last reference.
bool ip_socket::put(ip_options *o) noexcept
{
	if (!o->put())
		return false;
	// Senders under RCU may be copying it.
	count.freed.add_relaxed(1);
	o->retire().free_later();
	waiting.hands_over();
	return true;
}

result<void> ip_socket::set(const may_sleep &sleep, bool none) noexcept
{
	// Before the lock is taken: it may sleep.
	ip_options *fresh = none ? nullptr : make_options(sleep);

	if (!none && !fresh)
		return errc::no_memory;
	if (ip_options *old = ip_options::keep(exchange(fresh)))
		put(old);
	count.sets.add_relaxed(1);
	return {};
}

result<void> ip_socket::set_some(const may_sleep &sleep) noexcept
{
	const result<void> done = set(sleep, shim_random() % 8 == 0);

	waiting.bound(sleep);
	return done;
}

void ip_socket::clear(const may_sleep &sleep) noexcept
{
	static_cast<void>(set(sleep, true));
	waiting.settle(sleep);
}

// Senders

void ip_socket::copy(const ip_options *o, ip_packet &packet) noexcept
{
	packet.with_options = o;
	if (o)
		packet.options = o->is;
}

// The published one is referenced while the lock is held: its count is not 0.
ip_options *ip_socket::get() noexcept
{
	const socket_lock held(lock_);
	ip_options *o = options_.read(held);

	if (o)
		o->get();
	return o;
}

void ip_socket::send(ip_packet &packet) noexcept
{
	if (way.load_relaxed() == ip_way::refcount) {
		ip_options *o = get();

		copy(o, packet);
		if (o && put(o))
			count.put_last_by_sender.add_relaxed(1);
		return;
	}
	const rcu_read_guard section;

	copy(options_.read(section), packet);
}

void ip_socket::check(const ip_packet &packet, ip_sent &seen) noexcept
{
	seen.packets++;
	if (!packet.with_options)
		seen.without_options++;
	else if (packet.options.alive != ip_option_bytes::mark)
		seen.seen_freed++;
	else if (packet.options.checksum != packet.options.sum())
		seen.torn++;
}

ip_sent ip_socket::send_some(const may_sleep &, const kstd::atomic<uint32_t> &stopping) noexcept
{
	ip_packet packet = {};
	ip_sent seen = {};

	for (uint32_t i = 0; i < batch.load_relaxed() && !stopping.load_relaxed(); i++) {
		send(packet);
		check(packet, seen);
		if (i % 1024 == 1023)
			shim_cond_resched();
	}
	count.packets.add_relaxed(seen.packets);
	count.without_options.add_relaxed(seen.without_options);
	count.torn.add_relaxed(seen.torn);
	count.seen_freed.add_relaxed(seen.seen_freed);
	return seen;
}

} // namespace rcu_demo
