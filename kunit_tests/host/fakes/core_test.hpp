// SPDX-License-Identifier: GPL-2.0-only
// The fixture: each test starts with a machine of its own and the core as it is
// just after loading.
#ifndef NMIPROF_CORE_TEST_HPP // no #pragma once: it is compiled by itself, too
#define NMIPROF_CORE_TEST_HPP

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "machine.hpp"

#include "core.hpp"
#include "entry.hpp"
#include "ledger.hpp"
#include "nmiprof_core.h"

using kstd::errc;
using nmiprof::entry;
using nmiprof::term;
using sim::u32;
using sim::u64;

inline constexpr u64 us = 1'000, ms = 1'000'000, second = 1'000'000'000;
inline constexpr u64 mib = 1 << 20;

// Contexts for calls that take tokens: the scope tells the machine, the token the
// core.
struct in_nmi {
	sim::in_context level{sim::context::nmi};
	const nmiprof::nmi_context token = entry::nmi();
};

struct in_irq {
	sim::in_context level{sim::context::irq};
	const nmiprof::irq_context token = entry::irq();
};

struct updating {
	const nmiprof::may_sleep sleep = entry::process();
	const nmiprof::update_lock lock{sleep};
};

class core_test : public ::testing::Test {
      protected:
	core_test();
	~core_test() override;

	// Loads the module into a machine; the one before is unloaded.
	void boot(unsigned int cpus, u64 bytes_per_cpu = 8 * mib, u64 bytes_total = 256 * mib);
	void load(u64 bytes_per_cpu = 8 * mib, u64 bytes_total = 256 * mib);
	void unload(); // as the module does, with the machine left
	sim::machine &m()
	{
		return *machine_;
	}
	nmiprof_cpu &state(unsigned int cpu)
	{
		return *m().state(cpu);
	}

	// The core's calls, with CPUs held.
	int enable();
	void disable();
	int set_rate(u64 hz);
	int set_granularity(u64 bytes);
	int set_layout(bool shared);
	int set_source(bool pmu);
	int set_all_cpus();
	int set_cpus(const std::vector<unsigned int> &cpus);
	int offline(unsigned int cpu);
	int online(unsigned int cpu);
	void suspend();
	void resume();
	int request(unsigned int cpu);
	void change_events();

	// One tick of ours on this CPU, at this place: asked for and delivered.
	void tick_at(unsigned int cpu, u64 ip, u32 how = 0);

	struct contents {
		nmiprof_report_info info = {};
		std::vector<nmiprof_row> bins, outside; // rows that are not 0
		u64 rows_total = 0;
		u64 at(u64 address) const; // samples in the row for the address
		u64 irqs_off_at(u64 address) const;
	};
	contents look();
	contents drain();
	u64 drained() const
	{
		return drained_;
	}

	nmiprof::ledger ledger_of(unsigned int cpu);
	nmiprof::ledger ledger_of_all();
	// All equations of ledger.hpp, for each CPU and in all; and against what the
	// machine saw.
	void check_ledger();
	// Those of one CPU, without a report.
	void check_equations_of(unsigned int cpu);

	bool loaded = false;

      private:
	contents take(bool drain);

	std::unique_ptr<sim::machine> machine_;
	u64 drained_ = 0; // sum of the rows of all reports drained
};

#endif // NMIPROF_CORE_TEST_HPP
