// SPDX-License-Identifier: GPL-2.0-only
// IP options: senders copy a socket's options into each packet, a setter replaces them
// now and then (spec D5). RCU as a restricted reference count: a read section keeps what it
// finds as a reference would, for as long as the section lasts, and writes nothing shared.
//
//	sender	section { copy }	or: lock { get }  copy  put
//	setter	lock { exchange }  put  after the last put: kfree_rcu()
//
// Options have a count, and are freed after a grace period, whichever way senders go: so it
// may be changed while they are at work. Under RCU the setter's put is always the last.
#pragma once

#include "demos/backlog.hpp"
#include "demos/object_counts.hpp"
#include "kstd/result.hpp"
#include "lock.hpp"
#include "rcu_counted.hpp"

namespace rcu_demo {

// Held by whoever sets the options, and by senders while they take a reference. Only
// ip_socket makes one.
class socket_lock : public nmiprof::spin_guard {
	friend class ip_socket;
	explicit socket_lock(nmiprof::spinlock &lock) noexcept : spin_guard(lock)
	{
	}
};

// What senders copy.
struct ip_option_bytes {
	static constexpr kstd::uint32_t max_length = 40; // as in an IP header
	static constexpr kstd::uint32_t mark = 0x1b0b71;

	kstd::uint32_t alive; // `mark` in any that were set
	kstd::uint32_t length;
	kstd::uint32_t checksum; // of length and bytes
	kstd::uint8_t bytes[max_length];

	kstd::uint32_t sum() const noexcept;
};

// Constant once they are published.
struct ip_options : nmiprof::rcu_counted<ip_options> {
	ip_option_bytes is;
};

struct ip_packet {
	bool with_options;
	ip_option_bytes options;
};

// What a sender keeps the options by while it copies them.
enum class ip_way : kstd::uint32_t {
	rcu, // a read section
	refcount, // a reference, taken under the socket's lock
};

struct ip_sent {
	kstd::uint64_t packets, without_options;
	// What must not be: options in a packet that
	kstd::uint64_t torn; // do not match their checksum
	kstd::uint64_t seen_freed; // were no options any more
};

class ip_socket {
	using uint32_t = kstd::uint32_t;
	using uint64_t = kstd::uint64_t;
	using may_sleep = nmiprof::may_sleep;

      public:
	// Everything zero before; once.
	void init() noexcept;

	// New random options; `none`: there are none from now on. Errors: no_memory: those
	// before stay.
	[[nodiscard]] kstd::result<void> set(const may_sleep &, bool none) noexcept;
	// Random options, or none in one of 8 cases. Waits when too many objects wait to be
	// freed. Errors: no_memory.
	[[nodiscard]] kstd::result<void> set_some(const may_sleep &) noexcept;
	// There are none, and those before are freed. Nobody sends or sets.
	void clear(const may_sleep &) noexcept;

	// One packet is filled in.
	void send(ip_packet &) noexcept;
	// A packet is counted, with what is wrong with it.
	static void check(const ip_packet &, ip_sent &seen) noexcept;
	// `batch` packets are filled in and checked, or less when `stopping` is not 0.
	ip_sent send_some(const may_sleep &, const kstd::atomic<uint32_t> &stopping) noexcept;

	// Live settings.
	kstd::atomic<ip_way> way;
	kstd::atomic<uint32_t> batch{100};

	// Replaced and not freed yet; its bound, too, may be set at any time.
	backlog waiting;

	// Counters. Once all is quiet allocated = freed + 1 when options are set.
	struct counters : object_counts {
		kstd::atomic<uint64_t> packets, without_options, torn, seen_freed;
		kstd::atomic<uint64_t> sets; // with those to none
		kstd::atomic<uint64_t> put_last_by_sender;
	};
	counters count;

      private:
	ip_options *make_options(const may_sleep &) noexcept;
	nmiprof::retired<ip_options> exchange(ip_options *fresh) noexcept;
	bool put(ip_options *) noexcept;
	ip_options *get() noexcept;
	static void copy(const ip_options *, ip_packet &) noexcept;

	nmiprof::spinlock lock_;
	nmiprof::rcu_ptr<ip_options, socket_lock> options_;
};

extern ip_socket the_socket;

} // namespace rcu_demo
