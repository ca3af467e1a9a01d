// SPDX-License-Identifier: GPL-2.0-only
// Any order of all that can happen to the core, on the simulated machine: settings,
// hotplug, suspend, timers that come late or never, NMIs of ours and of others at the
// worst moments, counters that overflow, failing allocations, handlers, perf's events,
// reports, reload, panic.
//
// After each step the ledger's equations hold for each CPU, against what the machine
// saw; a refused call has changed nothing; handlers ran as often as they are said to. At
// the end what was handed out, is live or was discarded is what was counted, no flag is
// set, no memory, timer or NMI is left, and each CPU can be sampled, blocked or not.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "core_test.hpp"
#include "harness.hpp"

namespace {

constexpr unsigned int most_cpus = 8;
constexpr u64 most_timer_runs = 20'000; // ends a sequence: the next is worth more
constexpr int err_noent = -2, err_nomem = -12, err_exist = -17, err_nodev = -19, err_inval = -22,
	      err_nospc = -28, err_range = -34;

// Somebody else's handler. It is freed as soon as remove() or replace() has returned.
struct owner {
	unsigned int claims; // of each NMI that it takes for its own
	bool foreign_only;
	bool brings_another; // one more NMI arrives while it runs
	u64 takes_ns;
	std::unique_ptr<u64> heap = std::make_unique<u64>(1); // ASan sees a late look at it
};

// What handlers of one number have done.
struct account {
	std::array<u64, most_cpus> runs = {}, claims = {}, longest_ns = {};
};

class sequence : public core_test {
      public:
	explicit sequence(const fuzz::input &in) : in_(in)
	{
	}
	void run();

      private:
	void TestBody() override
	{
	}

	// What a refused call must leave alone.
	struct snapshot {
		u64 rate_hz, granularity, cpus, discarded, buffer_granularity;
		u32 shared_layout, all_cpus, from_pmu;
		int enabled;
		bool operator==(const snapshot &) const = default;
	};
	static snapshot take_snapshot();
	template <class F> void may_be_refused(std::initializer_list<int> errors, F call);

	sim::cpu &cpu_of(unsigned int cpu)
	{
		return m().cpus[cpu];
	}
	unsigned int any_present_cpu();
	bool memory_may_lack()
	{
		return m().fail_allocation || m().fail_allocations;
	}
	template <class F> void for_each_present(F f);

	void start();
	void hook();
	void step();
	void start_sampling();
	void set();
	void hotplug(unsigned int cpu);
	void toggle_suspend();
	void pass_time();
	void change_cpu(unsigned int cpu);
	void undeafen(unsigned int cpu);
	void change_machine();
	void place(unsigned int cpu);
	void take_report();
	void drop_report();
	void add_handler();
	void change_handler();
	void ask();
	void overflow(unsigned int cpu);
	void open_event();
	void change_event();
	void stop_event(unsigned int at);
	void close_event(unsigned int at);
	void close_one(unsigned int at);
	void close_events();
	// A perf_event is opaque to the core: any address will do.
	perf_event *as_perf(std::size_t n)
	{
		return reinterpret_cast<perf_event *>(&places_.at(n));
	}
	void foreign(unsigned int cpu, bool owned);
	void ask_for_sample(unsigned int cpu);
	void panic();
	void reload();

	void mend();
	void quiesce();
	void check();
	void check_recovery();
	void check_samples();
	void check_handlers();
	void check_sampling();

	static unsigned int handle(void *context, const nmiprof_nmi *nmi);

	fuzz::input in_;
	u64 per_cpu_ = 8 * mib;
	bool suspended_ = false, halted_ = false;
	u64 handed_out_ = 0; // samples in the rows of drained reports
	nmiprof_report *held_ = nullptr;
	u64 held_rows_ = 0;
	std::map<unsigned int, std::unique_ptr<owner>> owners_; // by number
	std::map<unsigned int, account> accounts_;
	std::map<const owner *, unsigned int> numbers_;
	struct opened {
		nmiprof_event *event;
		nmiprof_event *whole; // that it is a copy of, or null
		u64 period_ns;
		int cpu; // where it is started, -1: nowhere
	};
	std::vector<opened> events_;
	std::array<char, 8> places_ = {};
	std::array<u64, most_cpus> delivered_ = {}; // to perf
	unsigned int foreign_in_sends_ = 0, foreign_before_nmis_ = 0, nmis_in_grace_periods_ = 0;
	std::array<u64, most_cpus> foreign_since_idle_ = {}; // idle: none of ours under way
	std::array<u64, most_cpus> user_ticks_ = {}, idle_ticks_ = {};
	std::array<u64, most_cpus> unowned_ = {}; // NMIs that the kernel must report
	std::array<u64, most_cpus> overdue_ = {}; // of ours, that it may

	static sequence *the; // for handlers, which have no other way to it
};

sequence *sequence::the;

u64 rows_of(const nmiprof_report *r)
{
	nmiprof_report_info info = {};
	u64 sum = 0;

	nmiprof_core_report_info(r, &info);
	for (u64 at = 0; at < info.bins + info.outside_rows; at++) {
		nmiprof_row row = {};

		nmiprof_core_report_row(r, at, &row);
		EXPECT_LE(row.irqs_off, row.total);
		sum += row.total;
	}
	EXPECT_EQ(info.samples, sum + info.user + info.idle + info.out_of_range);
	return sum;
}

sequence::snapshot sequence::take_snapshot()
{
	nmiprof_settings s = {};

	nmiprof_core_settings(&s);
	return {s.rate_hz,
		s.granularity,
		s.cpus[0],
		nmiprof_core_discarded(),
		nmiprof_core_buffer_granularity(),
		s.shared_layout,
		s.all_cpus,
		s.from_pmu,
		nmiprof_core_enabled()};
}

// A refusal has one of these reasons, or lack of memory where there can be any; it
// changes nothing and says why in one line.
template <class F> void sequence::may_be_refused(std::initializer_list<int> errors, F call)
{
	const snapshot before = take_snapshot();
	const std::size_t lines = m().refused.size();
	const bool may_lack = memory_may_lack();
	const int err = call();

	EXPECT_EQ(m().refused.size(), lines + (err != 0));
	if (!err)
		return;
	EXPECT_TRUE(err == err_nomem ? may_lack
				     : std::count(errors.begin(), errors.end(), err) != 0)
		<< err;
	EXPECT_TRUE(take_snapshot() == before) << "refused with " << err << ", yet changed";
}

unsigned int sequence::any_present_cpu()
{
	const unsigned int cpu = in_.u8() % m().cpus.size();

	return cpu_of(cpu).present ? cpu : 0;
}

template <class F> void sequence::for_each_present(F f)
{
	for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
		if (cpu_of(cpu).present)
			f(cpu);
}

// --- the machine ---

void sequence::start()
{
	const unsigned int cpus = 1 + in_.u8() % most_cpus;
	const unsigned int options = in_.u8();

	the = this;
	per_cpu_ = options & 1 ? mib : 8 * mib;
	boot(cpus, per_cpu_);
	// What the machine has is looked at when the module is loaded.
	unload();
	m().text_end = m().text_start + 0x4000; // less memory to go through than the fakes' own
	m().text_known = !(options & 2);
	if (options & 4 && cpus > 1)
		cpu_of(1).present = cpu_of(1).online = false;
	load(per_cpu_);
	m().unknown_of_ours_is_failure = false; // check() knows which are none of its doing
	hook();
}

void sequence::hook()
{
	m().on_send = [this](unsigned int cpu) {
		EXPECT_FALSE(halted_) << "sent after a panic";
		// Only an NMI of somebody else's can have used up the flag, each one once; from
		// then on each of ours uses up that of the next, until none is under way.
		EXPECT_LE(cpu_of(cpu).in_flight, foreign_since_idle_[cpu])
			<< "two of ours under way";
		if (!cpu_of(cpu).in_flight)
			foreign_since_idle_[cpu] = 0;
		if (foreign_in_sends_) {
			foreign_in_sends_--;
			foreign(cpu, foreign_in_sends_ & 1);
		}
	};
	m().before_nmi = [this](unsigned int cpu) {
		m().extra_cycles++; // which no two NMIs share, though simulated time stands still
		if (state(cpu).claim.outstanding()) {
			user_ticks_[cpu] += (cpu_of(cpu).where.how & NMIPROF_USER) != 0;
			idle_ticks_[cpu] += (cpu_of(cpu).where.how & NMIPROF_IDLE) != 0;
		}
		if (foreign_before_nmis_) {
			foreign_before_nmis_--;
			foreign(cpu, foreign_before_nmis_ & 1);
		}
	};
	m().in_grace_period = [this] {
		for (; nmis_in_grace_periods_; nmis_in_grace_periods_ >>= 2) {
			const unsigned int cpu = nmis_in_grace_periods_ % m().cpus.size();

			if (!cpu_of(cpu).online)
				continue;
			foreign(cpu, nmis_in_grace_periods_ & 1);
			if (!cpu_of(cpu).in_flight)
				EXPECT_EQ(request(cpu), halted_ ? err_nodev : 0);
		}
	};
}

void sequence::foreign(unsigned int cpu, bool owned)
{
	foreign_since_idle_[cpu]++;
	unowned_[cpu] += !owned;
	m().foreign_nmi(cpu, owned);
}

void sequence::ask_for_sample(unsigned int cpu)
{
	EXPECT_EQ(request(cpu), halted_ || !cpu_of(cpu).online ? err_nodev : 0);
}

// What NMIs find on this CPU, or on all.
void sequence::place(unsigned int cpu)
{
	// Kernel text and what is next to it, a module, user space, the end of all.
	const u64 kinds[] = {m().text_start - 8, 0xffffffffc0000000, 0x400000, ~u64{0} << 12};
	const unsigned int what = in_.u8();
	const u64 ip = kinds[what & 3] + in_.u16();
	u32 how = 0;

	if (what & 16)
		how = what & 32 ? NMIPROF_USER : NMIPROF_IDLE;
	for (unsigned int i = 0; i < m().cpus.size(); i++)
		if (i == cpu || what & 64)
			cpu_of(i).where = {ip,
					   how | (cpu_of(i).blocked ? u32{NMIPROF_IRQS_OFF} : 0)};
}

void sequence::undeafen(unsigned int cpu)
{
	// Its claim was used up by somebody else's, then it had to wait for the CPU.
	overdue_[cpu] += (cpu_of(cpu).latched & sim::ours) && !state(cpu).claim.outstanding();
	m().undeafen(cpu);
}

void sequence::change_cpu(unsigned int cpu)
{
	sim::cpu &c = cpu_of(cpu);

	if (!c.online)
		return;
	switch (in_.u8() % 4) {
	case 0:
		if (!c.blocked)
			m().block(cpu);
		break;
	case 1:
		if (!c.blocked)
			m().deafen(cpu);
		break;
	case 2:
		if (c.blocked)
			undeafen(cpu);
		break;
	case 3:
		// A lost NMI costs a second: too many timer interrupts at high rates.
		if (take_snapshot().rate_hz <= 2000)
			c.lose = 1;
	}
}

void sequence::change_machine()
{
	static constexpr u64 steps[] = {0, 500, 2 * us, 20 * us, 90 * us, 300 * us, 2 * ms, 9 * ms};
	const unsigned int what = in_.u8();
	const u64 value = steps[what / 9 % 8];

	switch (what % 9) {
	case 8:
		m().has_pmu = what / 9 % 4; // most machines here have one
		break;
	case 0:
		if (!m().in_flight) // they do not overtake each other
			m().ipi_ns = std::min(value, 20 * us);
		break;
	case 1:
		m().grace_period_ns = value;
		break;
	case 2:
		m().timer_latency = nullptr;
		if (value)
			m().timer_latency = [value, who = in_.u8()](unsigned int cpu) {
				return who >> cpu & 1 ? value : 0;
			};
		break;
	case 3:
		foreign_in_sends_ = in_.u8() % 8;
		break;
	case 4:
		foreign_before_nmis_ = in_.u8() % 8;
		break;
	case 5:
		nmis_in_grace_periods_ = in_.u16();
		break;
	case 6:
		m().fail_allocation = in_.u8() % 32;
		break;
	case 7:
		m().extra_cycles += in_.u64();
	}
}

void sequence::pass_time()
{
	static constexpr u64 units[] = {100, 10 * us, 500 * us, 10 * ms};
	const unsigned int what = in_.u8();
	const snapshot s = take_snapshot();
	u64 busy = s.enabled ? s.rate_hz * m().cpus.size() : 1;

	for (const opened &o : events_)
		busy = std::max(busy, second / o.period_ns * m().cpus.size());

	m().run(std::min(units[what >> 6] * (what & 63), 2000 * second / busy));
}

// --- what a user and the kernel do ---

void sequence::start_sampling()
{
	may_be_refused({err_inval, err_range, err_nodev, err_exist, err_nospc},
		       [this] { return enable(); });
}

void sequence::set()
{
	static constexpr u64 rates[] = {0, 1, 10, 100, 997, 2000, 10'000, 100'000, 100'001};
	const unsigned int what = in_.u8();

	may_be_refused({err_inval, err_range, err_nodev}, [&] {
		switch (what % 9) {
		case 0:
		case 1:
			return set_rate(rates[what / 9 % std::size(rates)]);
		case 2:
			return set_rate(in_.u64());
		case 3:
			return set_granularity(u64{1} << what / 9 % 20 >> 1);
		case 4:
			return set_granularity(in_.u64());
		case 5:
			return set_layout(what / 9 & 1);
		case 6:
			return set_all_cpus();
		case 7:
			return set_source(what / 9 & 1);
		default: {
			const unsigned int bits = in_.u8();
			std::vector<unsigned int> chosen;

			for (unsigned int cpu = 0; cpu < m().cpus.size(); cpu++)
				if (bits >> cpu & 1)
					chosen.push_back(cpu);
			return set_cpus(chosen);
		}
		}
	});
}

void sequence::hotplug(unsigned int cpu)
{
	sim::cpu &c = cpu_of(cpu);
	const auto is_online = [](const sim::cpu &x) { return x.online; };
	const bool may_lack = memory_may_lack();
	int err = 0;

	if (!c.online)
		err = online(cpu);
	else if (!c.blocked && std::count_if(m().cpus.begin(), m().cpus.end(), is_online) > 1)
		err = offline(cpu);
	// perf takes its events off a CPU that is gone.
	for (unsigned int at = 0; !c.online && at < events_.size(); at++)
		if (events_[at].cpu == static_cast<int>(cpu))
			stop_event(at);
	EXPECT_TRUE(!err || (err == err_nomem && may_lack)) << err;
	if (!c.online)
		EXPECT_FALSE(state(cpu).claim.outstanding()) << "went offline with its flag set";
}

void sequence::toggle_suspend()
{
	suspended_ ? resume() : suspend();
	suspended_ = !suspended_;
}

void sequence::panic()
{
	nmiprof_core_halt();
	halted_ = true;
}

void sequence::take_report()
{
	const unsigned int what = in_.u8();
	const bool may_lack = memory_may_lack();
	nmiprof_report *r = nullptr;
	const int err = nmiprof_core_report((what & 1) != 0, &r);

	EXPECT_TRUE(err == 0 || (err == err_nomem && may_lack)) << err;
	EXPECT_EQ(err == 0, r != nullptr);
	if (!r)
		return;
	const u64 rows = rows_of(r);

	if (what & 1)
		handed_out_ += rows;
	if (what & 2) {
		nmiprof_core_report_free(r);
		return;
	}
	drop_report();
	held_ = r;
	held_rows_ = rows;
}

// A report is the reader's own: what happened since does not show in it.
void sequence::drop_report()
{
	if (!held_)
		return;
	EXPECT_EQ(rows_of(held_), held_rows_);
	nmiprof_core_report_free(held_);
	held_ = nullptr;
}

unsigned int sequence::handle(void *context, const nmiprof_nmi *nmi)
{
	auto &self = *static_cast<owner *>(context);
	account &a = the->accounts_[the->numbers_.at(&self)];
	const unsigned int cpu = the->m().nmi_on;
	const unsigned int claims =
		self.foreign_only && !(nmi->how & NMIPROF_FOREIGN) ? 0 : self.claims;

	a.runs[cpu] += *self.heap;
	a.claims[cpu] += claims;
	a.longest_ns[cpu] = std::max(a.longest_ns[cpu], self.takes_ns);
	// Cycles of this CPU, not time, which would make all others late.
	the->m().extra_cycles += self.takes_ns * sim::cycles_per_ns;
	if (self.brings_another) {
		self.brings_another = false;
		the->foreign(cpu, claims & 1);
	}
	return claims;
}

void sequence::add_handler()
{
	static const char *const names[] = {"a", "b", "profile", "default"};
	const unsigned int what = in_.u8();
	const std::string name = what & 4 ? in_.text(40) : names[what & 3];
	const std::size_t length = std::strlen(name.c_str());
	auto fresh = std::make_unique<owner>(
		owner{what >> 3 & 3, (what & 32) != 0, (what & 64) != 0, in_.u8() * u64{1000}});
	bool taken = false;
	unsigned int used = 1; // the default one
	char there[32];

	for (unsigned int n = 1; n < nmiprof_core_max_handlers(); n++)
		if (!nmiprof_core_handler_name(n, there, sizeof(there))) {
			used++;
			taken = taken || !std::strcmp(name.c_str(), there);
		}
	numbers_[fresh.get()] = 0;
	const bool may_lack = memory_may_lack(), no_function = what == 255;
	const int number =
		nmiprof_core_handler_add(name.c_str(), no_function ? nullptr : handle, fresh.get());

	if (no_function || !length || length >= sizeof(there)) {
		EXPECT_EQ(number, err_inval);
	} else if (taken) {
		EXPECT_EQ(number, err_exist);
	} else if (used == nmiprof_core_max_handlers()) {
		EXPECT_EQ(number, err_nospc);
	} else {
		EXPECT_TRUE(number > 0 || (number == err_nomem && may_lack)) << number;
	}
	if (number <= 0) {
		numbers_.erase(fresh.get());
		return;
	}
	const auto n = static_cast<unsigned int>(number);

	EXPECT_EQ(owners_.count(n), 0u);
	// An NMI in add()'s grace period may have run it before its number was known.
	accounts_[n] = accounts_[0];
	accounts_.erase(0);
	numbers_[fresh.get()] = n;
	owners_[n] = std::move(fresh);
}

// Replaces or removes one of ours, or one that does not exist.
void sequence::change_handler()
{
	const unsigned int what = in_.u8();
	const unsigned int number = what % 20;
	const bool may_lack = memory_may_lack();
	char name[32];

	if (!owners_.count(number)) {
		if (number && !nmiprof_core_handler_name(number, name, sizeof(name)))
			return; // the core's own
		EXPECT_EQ(nmiprof_core_handler_remove(number), err_noent);
		EXPECT_EQ(nmiprof_core_handler_replace(number, handle, nullptr), err_noent);
		return;
	}
	std::unique_ptr<owner> &there = owners_[number];

	if (what >= 128) {
		EXPECT_EQ(nmiprof_core_handler_remove(number), 0);
		numbers_.erase(there.get());
		owners_.erase(number);
		accounts_.erase(number);
		return;
	}
	EXPECT_EQ(nmiprof_core_handler_replace(number, nullptr, nullptr), err_inval);
	auto fresh = std::make_unique<owner>(owner{1, false, false, in_.u8() * u64{100}});

	numbers_[fresh.get()] = number;
	const int err = nmiprof_core_handler_replace(number, handle, fresh.get());

	EXPECT_TRUE(!err || (err == err_nomem && may_lack)) << err;
	if (!err)
		std::swap(there, fresh);
	numbers_.erase(fresh.get()); // whichever is out is freed here
}

// perf's own handler claims it; ours sees an NMI that is not its own after it.
void sequence::overflow(unsigned int cpu)
{
	if (!cpu_of(cpu).online)
		return;
	foreign_since_idle_[cpu]++;
	for (const auto &[event, made] : m().counters)
		if (made.started && made.cpu == cpu) {
			user_ticks_[cpu]++; // at most
			idle_ticks_[cpu]++;
		}
	m().overflow(cpu);
}

void sequence::open_event()
{
	static constexpr u64 periods[] = {0,	    9'999,	   10'000,	     20 * us,
					  100 * us, 1 * ms,	   1'003'009,	     5 * ms,
					  50 * ms,  3600 * second, 3600 * second + 1};
	const unsigned int what = in_.u8();
	const u64 period_ns = what & 128 ? in_.u64() : periods[what % std::size(periods)];
	const bool may_lack = memory_may_lack(),
		   good = period_ns >= 10 * us && period_ns <= 3600 * second;
	nmiprof_event *event = nullptr;

	if (events_.size() == 6)
		return;
	if (!events_.empty() && what % 4 == 3) {
		const opened of = events_[what / 4 % events_.size()];
		const int err = nmiprof_core_event_inherit(of.event, as_perf(events_.size()),
							   in_.u8() & 15, &event);

		EXPECT_TRUE(!err || (err == err_nomem && may_lack)) << err;
		if (!err)
			events_.push_back(
				{event, of.whole ? of.whole : of.event, of.period_ns, -1});
		return;
	}
	const int err =
		nmiprof_core_event_open(as_perf(events_.size()), period_ns, in_.u8() & 15, &event);
	change_events();
	EXPECT_EQ(err == 0, event != nullptr);
	if (!good)
		EXPECT_EQ(err, err_range);
	else
		EXPECT_TRUE(!err || (err == err_nomem && may_lack) || err == err_nospc) << err;
	if (!err)
		events_.push_back({event, nullptr, period_ns, -1});
}

void sequence::stop_event(unsigned int at)
{
	opened &o = events_[at];
	in_irq context;

	nmiprof_core_event_stop(o.event, static_cast<unsigned int>(o.cpu));
	o.cpu = -1;
}

void sequence::close_one(unsigned int at)
{
	if (events_[at].cpu >= 0)
		stop_event(at);
	nmiprof_core_event_close(events_[at].event);
	change_events();
	events_.erase(events_.begin() + at);
}

void sequence::close_event(unsigned int at)
{
	nmiprof_event *event = events_[at].event;

	// Copies go first.
	for (unsigned int i = events_.size(); i-- > 0;)
		if (events_[i].whole == event) {
			close_one(i);
			at -= i < at;
		}
	close_one(at);
}

void sequence::close_events()
{
	while (!events_.empty())
		close_event(events_.size() - 1);
}

// Starts, stops or closes one, or gives it another period.
void sequence::change_event()
{
	const unsigned int what = in_.u8(), cpu = any_present_cpu();

	if (events_.empty())
		return;
	const unsigned int at = what / 4 % events_.size();
	opened &o = events_[at];

	switch (what % 4) {
	case 0:
	case 1:
		if (o.cpu >= 0) {
			stop_event(at);
		} else if (cpu_of(cpu).online) {
			in_irq context;

			nmiprof_core_event_start(o.event, cpu);
			o.cpu = static_cast<int>(cpu);
		}
		break;
	case 2: {
		const u64 period_ns = 10 * us + in_.u16() * u64{1000};

		EXPECT_EQ(nmiprof_core_event_period(o.event, period_ns), 0);
		change_events();
		o.period_ns = period_ns;
		break;
	}
	default:
		close_event(at);
	}
}

// Questions that may name what does not exist.
void sequence::ask()
{
	const unsigned int number = in_.u8(), cpu = in_.u8(), room = in_.u8() % 40;
	const bool there = cpu < m().cpus.size() && cpu_of(cpu).present;
	u64 terms[NMIPROF_MAX_TERMS];
	nmiprof_handler_stats stats = {};
	std::vector<char> name(room);

	// Of a CPU below nr_cpu_ids that is not there the core asks the shim.
	if (cpu >= m().cpus.size() || there)
		EXPECT_EQ(nmiprof_core_ledger(cpu, terms), there ? 0 : err_nodev);
	const int err = nmiprof_core_handler_name(number, name.data(), room);

	EXPECT_EQ(err == 0, room && (!number || (number < nmiprof_core_max_handlers() &&
						 nmiprof::handlers.name(updating().lock, number))));
	if (!err)
		EXPECT_LT(strnlen(name.data(), room), room);
	if (there && !err)
		EXPECT_EQ(nmiprof_core_handler_stats(number, cpu, &stats), 0);
	EXPECT_EQ(nmiprof_core_term_name(number) != nullptr, number < nmiprof_core_terms());
}

void sequence::reload()
{
	const bool at_once = in_.u8() & 1; // with CPUs that are blocked or deaf, NMIs under way

	drop_report();
	close_events(); // each holds the module
	if (!at_once)
		quiesce();
	const std::vector<sim::cpu> before = m().cpus;

	unload();
	if (!at_once)
		for_each_present([&](unsigned int cpu) {
			EXPECT_EQ(cpu_of(cpu).unknown_ours, before[cpu].unknown_ours);
		});
	owners_.clear();
	accounts_.clear();
	numbers_.clear();
	m().fail_cpu_states = true;
	EXPECT_EQ(nmiprof_core_init(per_cpu_, 256 * mib), err_nomem);
	m().fail_cpu_states = false;
	load(per_cpu_);
	for (sim::cpu &c : m().cpus)
		c.unknown_ours = c.unknown_foreign = c.doubled = 0;
	unowned_ = overdue_ = user_ticks_ = idle_ticks_ = delivered_ = {};
	foreign_since_idle_ = {};
	suspended_ = halted_ = false;
	handed_out_ = 0;
	hook();
}

void sequence::step()
{
	// By name, for explain=1 (Makefile); as often as they are worth.
	static const struct {
		const char *name;
		void (*go)(sequence &);
	} steps[] = {
		{"enable", [](sequence &s) { s.start_sampling(); }},
		{"disable", [](sequence &s) { s.disable(); }},
		{"set", [](sequence &s) { s.set(); }},
		{"set", [](sequence &s) { s.set(); }},
		{"set", [](sequence &s) { s.set(); }},
		{"hotplug", [](sequence &s) { s.hotplug(s.any_present_cpu()); }},
		{"hotplug", [](sequence &s) { s.hotplug(s.any_present_cpu()); }},
		{"suspend or resume", [](sequence &s) { s.toggle_suspend(); }},
		{"change a CPU", [](sequence &s) { s.change_cpu(s.any_present_cpu()); }},
		{"change a CPU", [](sequence &s) { s.change_cpu(s.any_present_cpu()); }},
		{"change the machine", [](sequence &s) { s.change_machine(); }},
		{"change the machine", [](sequence &s) { s.change_machine(); }},
		{"place a CPU", [](sequence &s) { s.place(s.any_present_cpu()); }},
		{"report", [](sequence &s) { s.take_report(); }},
		{"report", [](sequence &s) { s.take_report(); }},
		{"add a handler", [](sequence &s) { s.add_handler(); }},
		{"change a handler", [](sequence &s) { s.change_handler(); }},
		{"ask for a sample", [](sequence &s) { s.ask_for_sample(s.any_present_cpu()); }},
		{"overflow", [](sequence &s) { s.overflow(s.any_present_cpu()); }},
		{"open an event", [](sequence &s) { s.open_event(); }},
		{"change an event", [](sequence &s) { s.change_event(); }},
		{"change an event", [](sequence &s) { s.change_event(); }},
		{"foreign NMI",
		 [](sequence &s) { s.foreign(s.any_present_cpu(), s.in_.u8() & 1); }},
		{"ask", [](sequence &s) { s.ask(); }},
		// Rarely: nothing is sampled from then on.
		{"panic or look",
		 [](sequence &s) { s.in_.u8() == 0x42 ? s.panic() : s.check_samples(); }},
		{"reload", [](sequence &s) { s.reload(); }},
		{"time", [](sequence &s) { s.pass_time(); }},
		{"time", [](sequence &s) { s.pass_time(); }},
	};
	const auto &chosen = steps[in_.u8() % std::size(steps)];

	if (std::getenv("NMIPROF_FUZZ_EXPLAIN"))
		std::fprintf(stderr, "%12.3f us  %s\n", static_cast<double>(m().now) / 1000,
			     chosen.name);
	chosen.go(*this);
}

// --- what must be true ---

void sequence::check()
{
	for (const auto &sample : m().perf_samples)
		delivered_[sample.cpu]++;
	m().perf_samples.clear();
	for_each_present([this](unsigned int cpu) {
		const sim::cpu &c = cpu_of(cpu);
		nmiprof::ledger l = ledger_of(cpu);

		check_equations_of(cpu);
		EXPECT_LE(l[term::late], l[term::handled]) << "one late arrival for each tick";
		EXPECT_EQ(l[term::perf_delivered], delivered_[cpu]);
		EXPECT_LE(l[term::user], user_ticks_[cpu]);
		EXPECT_LE(l[term::idle], idle_ticks_[cpu]);
		// NMIs carry no sender: where one of theirs was taken for ours, one of ours
		// may be reported in its place, but never one more than they sent. What is
		// known to go beyond (claim.hpp): one that was given up after a second comes
		// after all; one whose claim was used up comes after the late window, or is
		// not the only such one.
		EXPECT_LE(c.unknown_ours + c.unknown_foreign,
			  unowned_[cpu] + l[term::lost_timeout] + l[term::lost_offline] +
				  overdue_[cpu] + c.doubled)
			<< "unknown NMI of ours on CPU " << cpu;
	});
	const u64 present = std::count_if(m().cpus.begin(), m().cpus.end(),
					  [](const sim::cpu &c) { return c.present; });

	EXPECT_LE(2 * nmiprof_core_buffer_bytes(), present * per_cpu_);
}

void sequence::check_samples()
{
	const u64 fail = m().fail_allocation;
	nmiprof_report *r = nullptr;

	m().fail_allocation = 0;
	EXPECT_EQ(nmiprof_core_report(0, &r), 0);
	EXPECT_EQ(ledger_of_all()[term::binned],
		  handed_out_ + rows_of(r) + nmiprof_core_discarded());
	nmiprof_core_report_free(r);
	m().fail_allocation = fail;
}

void sequence::check_handlers()
{
	for (const auto &[number, its_owner] : owners_)
		for_each_present([&, n = number](unsigned int cpu) {
			const account &a = accounts_[n];
			nmiprof_handler_stats stats = {};

			EXPECT_EQ(nmiprof_core_handler_stats(n, cpu, &stats), 0);
			EXPECT_EQ(stats.invocations, a.runs[cpu]);
			EXPECT_EQ(stats.claims, a.claims[cpu]);
			EXPECT_EQ(stats.longest_ns, a.longest_ns[cpu]);
		});
}

// From now on the machine runs well.
void sequence::mend()
{
	m().fail_allocation = 0;
	foreign_in_sends_ = foreign_before_nmis_ = nmis_in_grace_periods_ = 0;
	m().timer_latency = nullptr;
	m().run(100 * us);
	m().ipi_ns = 500;
	for_each_present([this](unsigned int cpu) {
		cpu_of(cpu).lose = 0;
		if (cpu_of(cpu).blocked)
			undeafen(cpu);
	});
}

// Whatever got lost: while sampling goes on, each CPU's flag is clear again after a
// second or so.
void sequence::check_recovery()
{
	std::vector<unsigned int> asked;

	for_each_present([&](unsigned int cpu) {
		if (state(cpu).claim.outstanding())
			asked.push_back(cpu);
	});
	if (asked.empty() || halted_ || suspended_ || !take_snapshot().enabled ||
	    set_source(false) || set_rate(100) || set_all_cpus())
		return;
	const std::vector<sim::cpu> before = m().cpus;

	m().run(1200 * ms);
	for (unsigned int cpu : asked)
		EXPECT_GT(cpu_of(cpu).ticks, before[cpu].ticks) << "flag stuck, CPU " << cpu;
	check();
}

// Nothing of ours is under way any more.
void sequence::quiesce()
{
	mend();
	if (suspended_)
		toggle_suspend();
	close_events();
	disable();
	check();
	for_each_present([this](unsigned int cpu) {
		EXPECT_EQ(ledger_of(cpu)[term::outstanding], 0u) << "flag stuck, CPU " << cpu;
		EXPECT_EQ(cpu_of(cpu).in_flight, 0u);
		EXPECT_EQ(cpu_of(cpu).timer_at, 0u);
	});
}

// Whatever came before, sampling works.
void sequence::check_sampling()
{
	while (!owners_.empty()) {
		const unsigned int number = owners_.begin()->first;

		EXPECT_EQ(nmiprof_core_handler_remove(number), 0);
		owners_.erase(number);
	}
	for_each_present([this](unsigned int cpu) {
		if (!cpu_of(cpu).online)
			EXPECT_EQ(online(cpu), 0);
	});
	EXPECT_EQ(set_source(false), 0);
	EXPECT_EQ(set_rate(100), 0);
	EXPECT_EQ(set_granularity(0), 0);
	EXPECT_EQ(set_layout(false), 0);
	EXPECT_EQ(set_all_cpus(), 0);
	EXPECT_EQ(enable(), 0);

	const auto all_are_sampled = [this] {
		const std::vector<sim::cpu> before = m().cpus;

		m().run(60 * ms);
		for_each_present([&](unsigned int cpu) {
			EXPECT_GE(cpu_of(cpu).ticks, before[cpu].ticks + 3) << "CPU " << cpu;
		});
	};
	const unsigned int other = any_present_cpu();

	all_are_sampled();
	if (m().cpus.size() > 2) {
		m().block(other);
		all_are_sampled();
		m().unblock(other);
	}
	disable();
	check();
	check_samples();
}

void sequence::run()
{
	u64 timer_runs = 0;

	start();
	while (!in_.empty() && timer_runs < most_timer_runs) {
		step();
		check();
		check_handlers();
		timer_runs = 0;
		for (const sim::cpu &c : m().cpus)
			timer_runs += c.timer_runs;
	}
	drop_report();
	mend();
	check_recovery();
	quiesce();
	check_samples();
	if (!halted_)
		check_sampling();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	sequence(fuzz::input(data, size)).run();
	return 0;
}
