// SPDX-License-Identifier: GPL-2.0-only
// IP options (demos/ip_options.hpp).
#include "core_test.hpp"

#include <utility>

#include "demos/ip_options.hpp"

using namespace nmiprof;
using namespace rcu_demo;

namespace {

constexpr ip_way all_ways[] = {ip_way::rcu, ip_way::refcount};

class ip_options_test : public core_test {
      protected:
	ip_options_test()
	{
		new (&the_socket) ip_socket;
		the_socket.init();
	}
	~ip_options_test() override
	{
		m().on_unlock = nullptr;
		the_socket.clear(sleep);
		m().synchronize();
		EXPECT_EQ(the_socket.count.allocated.load_relaxed(),
			  the_socket.count.freed.load_relaxed());
		EXPECT_EQ(the_socket.waiting.size(), 0u);
		EXPECT_TRUE(m().leaked.empty());
	}
	errc set(bool none = false)
	{
		return the_socket.set(sleep, none).error();
	}
	// Options of these bytes.
	void set_bytes(const std::vector<u32> &bytes)
	{
		m().next_random.assign(bytes.begin(), bytes.end());
		m().next_random.push_front(static_cast<u32>(bytes.size()));
		ASSERT_EQ(set(), errc::ok);
	}
	ip_packet send()
	{
		ip_packet packet;

		the_socket.send(packet);
		return packet;
	}
	static std::vector<u32> bytes_of(const ip_packet &packet)
	{
		EXPECT_TRUE(packet.with_options);
		return {packet.options.bytes, packet.options.bytes + packet.options.length};
	}
	static ip_sent check(const ip_packet &packet)
	{
		ip_sent seen = {};

		ip_socket::check(packet, seen);
		EXPECT_EQ(seen.packets, 1u);
		return seen;
	}
	static u64 of(const kstd::atomic<kstd::uint64_t> &counter)
	{
		return counter.load_relaxed();
	}

	const may_sleep sleep = entry::process();
	kstd::atomic<kstd::uint32_t> stopping;
};

using bytes = std::vector<u32>;

} // namespace

TEST_F(ip_options_test, packets_go_without_while_there_are_none)
{
	for (const ip_way way : all_ways) {
		the_socket.way.store_relaxed(way);
		EXPECT_FALSE(send().with_options);
		EXPECT_EQ(check(send()).without_options, 1u);
		set_bytes({1, 2, 3});
		EXPECT_TRUE(send().with_options);
		EXPECT_EQ(set(true), errc::ok);
		EXPECT_FALSE(send().with_options);
	}
}

TEST_F(ip_options_test, packets_have_the_options_that_were_set_last)
{
	for (const ip_way way : all_ways) {
		the_socket.way.store_relaxed(way);
		set_bytes({1, 2, 3});
		EXPECT_EQ(bytes_of(send()), (bytes{1, 2, 3}));
		set_bytes({9});
		EXPECT_EQ(bytes_of(send()), bytes{9});
		set_bytes(bytes());
		EXPECT_EQ(bytes_of(send()), bytes());
		set_bytes(bytes(40, 0xff));
		EXPECT_EQ(bytes_of(send()), bytes(40, 0xff));
	}
}

TEST_F(ip_options_test, lengths_are_0_to_40)
{
	std::set<u32> lengths;

	for (int i = 0; i < 2000; i++) {
		ASSERT_EQ(set(), errc::ok);
		const ip_packet packet = send();

		lengths.insert(packet.options.length);
		EXPECT_EQ(check(packet).torn + check(packet).seen_freed, 0u);
	}
	EXPECT_EQ(lengths.size(), 41u);
	EXPECT_EQ(*lengths.rbegin(), 40u);
}

TEST_F(ip_options_test, senders_keep_the_options_by_what_they_are_told_to)
{
	set_bytes({1, 2, 3});
	const u64 spins = m().spin_locks;

	send();
	EXPECT_EQ(m().spin_locks, spins) << "senders under RCU take none";
	the_socket.way.store_relaxed(ip_way::refcount);
	send();
	EXPECT_EQ(m().spin_locks, spins + 1);
	EXPECT_EQ(m().grace_periods, 0u);
}

TEST_F(ip_options_test, old_options_are_freed_after_a_grace_period)
{
	for (const ip_way way : all_ways) {
		the_socket.way.store_relaxed(way);
		set_bytes({1});
		const u64 live = m().live_objects();

		set_bytes({2});
		EXPECT_EQ(m().live_objects(), live + 1) << "a sender may be copying them";
		m().synchronize();
		EXPECT_EQ(m().live_objects(), live);
		EXPECT_EQ(set(true), errc::ok);
		m().synchronize();
		EXPECT_EQ(m().live_objects(), live - 1);
	}
	EXPECT_EQ(m().grace_periods, 4u) << "nobody waited";
	EXPECT_EQ(of(the_socket.count.put_last_by_sender), 0u);
}

TEST_F(ip_options_test, a_reference_keeps_options_that_are_replaced)
{
	the_socket.way.store_relaxed(ip_way::refcount);
	set_bytes({1, 2, 3});
	const u64 live = m().live_objects();

	// When the sender has its reference, and has copied nothing.
	m().on_unlock = [&, done = false](const void *) mutable {
		if (std::exchange(done, true))
			return;
		set_bytes({4});
		m().synchronize();
		EXPECT_EQ(m().live_objects(), live + 1);
	};
	const ip_packet packet = send();

	EXPECT_EQ(bytes_of(packet), (bytes{1, 2, 3}));
	EXPECT_EQ(check(packet).torn + check(packet).seen_freed, 0u);
	EXPECT_EQ(of(the_socket.count.put_last_by_sender), 1u);
	m().synchronize();
	EXPECT_EQ(m().live_objects(), live);
	EXPECT_EQ(bytes_of(send()), bytes{4});
}

TEST_F(ip_options_test, what_must_not_be_is_noticed)
{
	set_bytes({1, 2, 3});
	const ip_packet good = send();

	EXPECT_EQ(check(good).torn + check(good).seen_freed + check(good).without_options, 0u);
	for (u32 i = 0; i < 3; i++) {
		ip_packet torn = good;

		torn.options.bytes[i] ^= 1;
		EXPECT_EQ(check(torn).torn, 1u);
	}
	for (const u32 length : {2u, 4u, 41u, ~0u}) {
		ip_packet torn = good;

		torn.options.length = length;
		EXPECT_EQ(check(torn).torn, 1u) << length;
	}
	set_bytes(bytes(40, 7));
	ip_packet torn = send(), freed = good;

	torn.options.length++;
	EXPECT_EQ(check(torn).torn, 1u) << "beyond the longest";
	torn = good;
	torn.options.checksum++;
	EXPECT_EQ(check(torn).torn, 1u);
	freed.options.alive = 0;
	EXPECT_EQ(check(freed).seen_freed, 1u);
	EXPECT_EQ(check(freed).torn, 0u);
}

TEST_F(ip_options_test, a_batch_is_checked_and_counted)
{
	set_bytes({1, 2, 3});
	for (const ip_way way : all_ways) {
		the_socket.way.store_relaxed(way);
		const ip_sent seen = the_socket.send_some(sleep, stopping);

		EXPECT_EQ(seen.packets, 100u);
		EXPECT_EQ(seen.without_options, 0u);
	}
	EXPECT_EQ(set(true), errc::ok);
	the_socket.batch.store_relaxed(7);
	EXPECT_EQ(the_socket.send_some(sleep, stopping).without_options, 7u);
	EXPECT_EQ(of(the_socket.count.packets), 207u);
	EXPECT_EQ(of(the_socket.count.without_options), 7u);
	EXPECT_EQ(of(the_socket.count.torn) + of(the_socket.count.seen_freed), 0u);
}

TEST_F(ip_options_test, a_sender_stops_when_told_to)
{
	the_socket.batch.store_relaxed(~u32{0});
	m().on_resched = [this] { stopping.store_relaxed(1); };
	EXPECT_EQ(the_socket.send_some(sleep, stopping).packets, 1024u);
	EXPECT_EQ(the_socket.send_some(sleep, stopping).packets, 0u);
}

TEST_F(ip_options_test, a_smaller_batch_counts_at_once)
{
	the_socket.batch.store_relaxed(~u32{0});
	m().on_resched = [] { the_socket.batch.store_relaxed(10); };
	EXPECT_EQ(the_socket.send_some(sleep, stopping).packets, 1024u);
}

TEST_F(ip_options_test, without_memory_the_options_stay)
{
	set_bytes({1, 2, 3});
	m().fail_allocations = true;
	EXPECT_EQ(set(), errc::no_memory);
	EXPECT_EQ(bytes_of(send()), (bytes{1, 2, 3}));
	EXPECT_EQ(set(true), errc::ok) << "this takes none";
	m().fail_allocations = false;
}

TEST_F(ip_options_test, one_in_8_sets_none)
{
	m().next_random = {8, 9, 0};
	EXPECT_EQ(the_socket.set_some(sleep).error(), errc::ok);
	EXPECT_FALSE(send().with_options);
	EXPECT_EQ(the_socket.set_some(sleep).error(), errc::ok);
	EXPECT_TRUE(send().with_options);
	EXPECT_EQ(of(the_socket.count.sets), 2u);
}

TEST_F(ip_options_test, the_backlog_is_bounded)
{
	the_socket.waiting.max.store_relaxed(10);
	for (int i = 0; i < 300; i++) {
		the_socket.way.store_relaxed(all_ways[i / 100 % 2]);
		ASSERT_EQ(the_socket.set_some(sleep).error(), errc::ok);
		send();
		EXPECT_LE(the_socket.waiting.size(), 10u);
		EXPECT_LE(m().live_objects(), 12u);
	}
	EXPECT_GT(of(the_socket.waiting.throttled), 10u);
}
