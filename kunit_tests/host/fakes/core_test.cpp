// SPDX-License-Identifier: GPL-2.0-only
#include "core_test.hpp"

#include <cstring>

namespace {

// The core's objects as the loader leaves them: constant-initialised and without
// pointers to themselves, so their bytes are their state.
template <class T> class pristine {
      public:
	explicit pristine(T &object) : object_(object)
	{
		std::memcpy(bytes_, static_cast<void *>(&object), sizeof(T));
	}
	void restore()
	{
		std::memcpy(static_cast<void *>(&object_), bytes_, sizeof(T));
	}

      private:
	T &object_;
	alignas(T) unsigned char bytes_[sizeof(T)];
};

void restore_core()
{
	static pristine<nmiprof::registry> registry(nmiprof::handlers);
	static pristine<nmiprof::profile> profile(nmiprof::the_profile);
	static pristine<nmiprof::nmi_timer> timer(nmiprof::the_timer);
	static pristine<nmiprof::control> control(nmiprof::the_control);

	registry.restore();
	profile.restore();
	timer.restore();
	control.restore();
}

// As the module's callers do.
class holding_cpus {
      public:
	holding_cpus()
	{
		shim_cpus_lock();
	}
	~holding_cpus()
	{
		shim_cpus_unlock();
	}
};

} // namespace

core_test::core_test()
{
	boot(4);
}

core_test::~core_test()
{
	if (loaded)
		unload();
}

void core_test::boot(unsigned int cpus, u64 bytes_per_cpu, u64 bytes_total)
{
	if (loaded)
		unload();
	machine_.reset();
	machine_ = std::make_unique<sim::machine>(cpus);
	load(bytes_per_cpu, bytes_total);
}

void core_test::load(u64 bytes_per_cpu, u64 bytes_total)
{
	restore_core();
	drained_ = 0;
	for (sim::cpu &c : m().cpus)
		c.sent = c.nmis = c.ticks = c.late = 0;
	ASSERT_EQ(nmiprof_core_init(bytes_per_cpu, bytes_total), 0);
	ASSERT_EQ(shim_nmi_register(), 0);
	loaded = true;
}

void core_test::unload()
{
	m().fail_allocation = 0;
	m().fail_allocations = false;
	m().in_grace_period = nullptr;
	disable();
	// Whatever a test left: the machine runs again, as it must to unload.
	for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
		if (m().cpus[cpu].blocked)
			m().undeafen(cpu);
	for (unsigned int number = 1; number < nmiprof_core_max_handlers(); number++)
		nmiprof_core_handler_remove(number);
	shim_timer_flush();
	m().run(1 * ms);
	EXPECT_EQ(m().in_flight, 0u) << "an NMI is on its way while the module is unloaded";
	for (const sim::cpu &c : m().cpus)
		EXPECT_EQ(c.timer_at, 0u) << "a timer is armed while the module is unloaded";
	shim_nmi_unregister();
	nmiprof_core_exit();
	loaded = false;
}

int core_test::enable()
{
	holding_cpus held;

	return nmiprof_core_enable();
}

void core_test::disable()
{
	holding_cpus held;

	nmiprof_core_disable();
}

int core_test::set_rate(u64 hz)
{
	nmiprof_settings s = {};
	holding_cpus held;

	s.rate_hz = hz;
	return nmiprof_core_configure(&s, NMIPROF_RATE_HZ);
}

void core_test::change_events()
{
	holding_cpus held;

	nmiprof_core_event_changes();
}

int core_test::set_granularity(u64 bytes)
{
	nmiprof_settings s = {};
	holding_cpus held;

	s.granularity = bytes;
	return nmiprof_core_configure(&s, NMIPROF_GRANULARITY);
}

int core_test::set_source(bool pmu)
{
	nmiprof_settings s = {};
	holding_cpus held;

	s.from_pmu = pmu;
	return nmiprof_core_configure(&s, NMIPROF_SOURCE);
}

int core_test::set_layout(bool shared)
{
	nmiprof_settings s = {};
	holding_cpus held;

	s.shared_layout = shared;
	return nmiprof_core_configure(&s, NMIPROF_LAYOUT);
}

int core_test::set_all_cpus()
{
	nmiprof_settings s = {};
	holding_cpus held;

	s.all_cpus = 1;
	return nmiprof_core_configure(&s, NMIPROF_CPUS);
}

int core_test::set_cpus(const std::vector<unsigned int> &cpus)
{
	std::vector<shim_u64> mask((m().cpus.size() + 63) / 64);
	nmiprof_settings s = {};
	holding_cpus held;

	for (unsigned int cpu : cpus)
		mask[cpu / 64] |= 1ULL << cpu % 64;
	s.cpus = mask.data();
	return nmiprof_core_configure(&s, NMIPROF_CPUS);
}

int core_test::offline(unsigned int cpu)
{
	holding_cpus held;

	return m().take_offline(cpu);
}

int core_test::online(unsigned int cpu)
{
	holding_cpus held;

	return m().bring_online(cpu);
}

void core_test::suspend()
{
	holding_cpus held;

	nmiprof_core_suspend();
}

void core_test::resume()
{
	holding_cpus held;

	nmiprof_core_resume();
}

int core_test::request(unsigned int cpu)
{
	sim::in_context level(sim::context::irq);

	return nmiprof_core_request(0, cpu);
}

void core_test::tick_at(unsigned int cpu, u64 ip, u32 how)
{
	const sim::frame was = m().cpus[cpu].where;
	const u64 ipi_ns = m().ipi_ns;
	const u64 ticks = m().cpus[cpu].ticks;

	m().cpus[cpu].where = {ip, how};
	m().ipi_ns = 0;
	ASSERT_EQ(request(cpu), 0);
	m().ipi_ns = ipi_ns;
	m().cpus[cpu].where = was;
	ASSERT_EQ(m().cpus[cpu].ticks, ticks + 1);
}

core_test::contents core_test::take(bool drain)
{
	nmiprof_report *r = nullptr;
	contents c;

	const bool may_fail = m().fail_allocation;
	const int err = nmiprof_core_report(drain, &r);

	EXPECT_TRUE(err == 0 || (may_fail && err == -12)) << err;
	if (!r)
		return c;
	nmiprof_core_report_info(r, &c.info);
	for (u64 at = 0; at < c.info.bins + c.info.outside_rows; at++) {
		nmiprof_row row = {};

		nmiprof_core_report_row(r, at, &row);
		EXPECT_LE(row.irqs_off, row.total);
		c.rows_total += row.total;
		if (row.total)
			(at < c.info.bins ? c.bins : c.outside).push_back(row);
	}
	nmiprof_core_report_free(r);
	EXPECT_EQ(c.info.samples, c.rows_total + c.info.user + c.info.idle + c.info.out_of_range);
	return c;
}

core_test::contents core_test::look()
{
	return take(false);
}

core_test::contents core_test::drain()
{
	contents c = take(true);

	drained_ += c.rows_total;
	return c;
}

u64 core_test::contents::at(u64 address) const
{
	u64 sum = 0;

	for (const nmiprof_row &row : bins)
		if (address - row.address < info.granularity)
			sum += row.total;
	for (const nmiprof_row &row : outside)
		if (address - row.address < info.outside_granularity)
			sum += row.total;
	return sum;
}

u64 core_test::contents::irqs_off_at(u64 address) const
{
	u64 sum = 0;

	for (const nmiprof_row &row : bins)
		if (address - row.address < info.granularity)
			sum += row.irqs_off;
	for (const nmiprof_row &row : outside)
		if (address - row.address < info.outside_granularity)
			sum += row.irqs_off;
	return sum;
}

nmiprof::ledger core_test::ledger_of(unsigned int cpu)
{
	nmiprof::ledger l;

	EXPECT_EQ(nmiprof_core_ledger(cpu, l.value), 0);
	return l;
}

nmiprof::ledger core_test::ledger_of_all()
{
	nmiprof::ledger sum;

	for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
		if (m().cpus[cpu].present)
			sum.add(ledger_of(cpu));
	return sum;
}

static void check_equations(nmiprof::ledger l, const std::string &whose)
{
	SCOPED_TRACE(whose);
	EXPECT_EQ(l[term::due], l[term::sent] + l[term::coalesced] + l[term::skipped_overrun] +
					l[term::skipped_offline] + l[term::skipped_unwanted] +
					l[term::skipped_stopped]);
	EXPECT_EQ(l[term::sent], l[term::handled] + l[term::outstanding] + l[term::lost_offline] +
					 l[term::lost_timeout]);
	EXPECT_EQ(l[term::samples], l[term::binned] + l[term::user] + l[term::idle] +
					    l[term::no_buffer] + l[term::out_of_range]);
	EXPECT_EQ(l[term::perf_due],
		  l[term::perf_delivered] + l[term::perf_excluded] + l[term::perf_throttled]);
}

void core_test::check_equations_of(unsigned int cpu)
{
	nmiprof::ledger l = ledger_of(cpu);
	const sim::cpu &c = m().cpus[cpu];

	SCOPED_TRACE("CPU " + std::to_string(cpu));
	check_equations(l, "its ledger");
	EXPECT_EQ(l[term::sent], c.sent);
	EXPECT_EQ(l[term::handled], c.ticks);
	EXPECT_EQ(l[term::handled] + l[term::foreign], c.nmis);
	EXPECT_EQ(l[term::late], c.late);
}

void core_test::check_ledger()
{
	nmiprof::ledger sum;

	for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++) {
		if (!m().cpus[cpu].present)
			continue;
		check_equations_of(cpu);
		sum.add(ledger_of(cpu));
	}
	check_equations(sum, "all CPUs");
	EXPECT_EQ(sum[term::binned], drained_ + look().rows_total + nmiprof_core_discarded());
}
