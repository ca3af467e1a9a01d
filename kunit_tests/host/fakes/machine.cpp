// SPDX-License-Identifier: GPL-2.0-only
#include "machine.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "cpu.hpp"
#include "nmiprof_core.h"

namespace sim {

namespace {

machine *current;

struct level {
	context kind = context::process;
	unsigned int preempt = 0;
	unsigned int rcu = 0;
};

// Of this thread: a test may run one NMI on a thread of its own, to have it last
// while the updater goes on.
thread_local std::vector<level> levels(1);

} // namespace

machine &machine::the()
{
	return *current;
}

machine::machine(unsigned int nr_cpus) : cpus(nr_cpus)
{
	current = this;
	for (cpu &c : cpus)
		c.where = {text_start, 0};
}

machine::~machine()
{
	EXPECT_FALSE(update_locked);
	EXPECT_EQ(cpus_locked, 0u);
	EXPECT_EQ(levels.size(), 1u);
	EXPECT_EQ(levels.back().preempt, 0u);
	EXPECT_EQ(levels.back().rcu, 0u);
	EXPECT_EQ(objects_.size(), 0u) << "memory leaked: " << live_bytes << " bytes";
	for (const std::string &what : leaked)
		ADD_FAILURE() << "shim_warn_leaked: " << what;
	for (std::size_t i = 0; unknown_of_ours_is_failure && i < cpus.size(); i++)
		EXPECT_EQ(cpus[i].unknown_ours, 0u) << "unknown NMI of ours on CPU " << i;
	for (const auto &object : objects_)
		std::free(object.first);
	std::free(states_);
	current = nullptr;
}

// --- contexts ---

void machine::enter(context c)
{
	levels.push_back({c, 0, 0});
}

void machine::leave()
{
	EXPECT_EQ(levels.back().preempt, 0u) << "left with preemption off";
	EXPECT_EQ(levels.back().rcu, 0u) << "left inside a read section";
	levels.pop_back();
}

void machine::expect(context c, const char *what)
{
	EXPECT_TRUE(levels.back().kind == c) << what << " in the wrong context";
}

void machine::expect_may_sleep(const char *what)
{
	expect(context::process, what);
	EXPECT_EQ(levels.back().preempt, 0u) << what << " with preemption off";
	EXPECT_EQ(levels.back().rcu, 0u) << what << " inside a read section";
	EXPECT_TRUE(current->locked.empty()) << what << " with a spinlock or rwlock held";
}

// What lockdep would say of two kinds of lock, as cxx_core/lock.hpp has it.
void machine::expect_outermost(const char *what)
{
	EXPECT_EQ(levels.back().preempt, 0u) << what << " inside another lock";
}

// --- time ---

void machine::post(u64 at, kind what, unsigned int cpu, u64 generation)
{
	events_.push({at, order_++, what, cpu, generation});
}

void machine::run(u64 ns)
{
	run_until(now + ns);
}

void machine::run_until(u64 at)
{
	while (!events_.empty() && events_.top().at <= at) {
		const event e = events_.top();

		events_.pop();
		if (now < e.at)
			now = e.at;
		dispatch(e);
	}
	if (now < at) // an event may have taken time itself
		now = at;
}

void machine::dispatch(const event &e)
{
	cpu &c = cpus[e.cpu];

	switch (e.what) {
	case kind::timer:
		if (e.generation != c.timer_generation || !c.timer_at)
			return; // cancelled or moved
		if (c.blocked)
			c.timer_expired = true;
		else
			timer_interrupt(e.cpu);
		return;
	case kind::kick:
		if (c.blocked)
			c.kick_pending = true;
		else
			kick_interrupt(e.cpu);
		return;
	case kind::ipi:
		in_flight--;
		c.in_flight--;
		nmi_arrives(e.cpu, ours);
		return;
	}
}

void machine::arm(unsigned int cpu, u64 at)
{
	sim::cpu &c = cpus[cpu];
	u64 fires = at < now ? now : at;

	if (timer_latency)
		fires += timer_latency(cpu);
	c.timer_at = at;
	c.timer_expired = false;
	post(fires, kind::timer, cpu, ++c.timer_generation);
}

void machine::timer_interrupt(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];
	const u64 generation = c.timer_generation;
	u64 next;

	EXPECT_TRUE(c.online) << "a timer expired on CPU " << cpu << ", which is offline";
	EXPECT_LE(c.timer_at, now);
	c.timer_expired = false;
	c.timer_runs++;
	c.in_irq = true;
	{
		in_context irq(context::irq);

		next = nmiprof_core_on_timer(cpu, now);
	}
	c.in_irq = false;
	if (generation != c.timer_generation)
		return;
	if (!next) {
		c.timer_at = 0;
		return;
	}
	EXPECT_GT(next, now);
	arm(cpu, next);
}

void machine::kick_interrupt(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];
	u64 expiry;

	c.kick_pending = false;
	if (!c.online)
		return;
	c.in_irq = true;
	{
		in_context irq(context::irq);

		expiry = nmiprof_core_timer_start(cpu);
	}
	c.in_irq = false;
	if (expiry)
		arm(cpu, expiry);
}

// --- CPUs ---

void machine::block(unsigned int cpu)
{
	cpus[cpu].blocked = true;
	cpus[cpu].where.how |= NMIPROF_IRQS_OFF;
}

void machine::unblock(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];

	c.blocked = false;
	c.where.how &= ~u32{NMIPROF_IRQS_OFF};
	if (c.kick_pending)
		post(now, kind::kick, cpu);
	if (c.timer_expired)
		post(now, kind::timer, cpu, c.timer_generation);
}

void machine::deafen(unsigned int cpu)
{
	block(cpu);
	cpus[cpu].deaf = true;
}

void machine::undeafen(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];
	const u32 causes = c.latched;

	c.deaf = false;
	c.latched = 0;
	if (causes)
		nmi_arrives(cpu, causes);
	unblock(cpu);
}

int machine::take_offline(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];

	// Its callback runs on the CPU itself, so it takes interrupts.
	EXPECT_TRUE(c.online && !c.blocked);
	if (const int err = nmiprof_core_cpu_offline(cpu))
		return err;
	EXPECT_EQ(c.timer_at, 0u) << "CPU " << cpu << " goes offline with its timer armed";
	c.online = false;
	c.latched = 0;
	c.kick_pending = false;
	return 0;
}

int machine::bring_online(unsigned int cpu)
{
	cpus[cpu].online = true;
	const int err = nmiprof_core_cpu_online(cpu);

	if (err)
		cpus[cpu].online = false;
	return err;
}

// --- NMIs ---

void machine::send(unsigned int cpu)
{
	sim::cpu &c = cpus[cpu];

	EXPECT_TRUE(levels.back().kind == context::irq)
		<< "NMI sent with interrupts on or from an NMI";
	EXPECT_TRUE(c.online) << "NMI sent to CPU " << cpu << ", which is offline";
	c.sent++;
	if (on_send)
		on_send(cpu);
	if (c.lose) {
		c.lose--;
		return;
	}
	if (!ipi_ns)
		return nmi_arrives(cpu, ours);
	in_flight++;
	c.doubled += c.in_flight++ != 0;
	post(now + ipi_ns, kind::ipi, cpu);
}

void machine::foreign_nmi(unsigned int cpu, bool owned)
{
	nmi_arrives(cpu, owned ? foreign_owned : foreign_unowned);
}

void machine::nmi_arrives(unsigned int cpu, u32 causes)
{
	sim::cpu &c = cpus[cpu];

	if (!c.online)
		return; // lost
	if (c.deaf || c.in_nmi) {
		c.merged += c.latched != 0;
		c.latched |= causes;
		return;
	}
	handle_nmi(cpu, causes);
	while (const u32 next = c.latched) {
		c.latched = 0;
		handle_nmi(cpu, next);
	}
}

// As the kernel does: all local handlers; if none claimed it, the unknown ones; if
// none did, the message.
void machine::handle_nmi(unsigned int cpu, u32 causes)
{
	sim::cpu &c = cpus[cpu];
	const u64 ip = c.in_irq ? timer_code : c.where.ip;
	const u32 how = c.in_irq ? u32{NMIPROF_IRQS_OFF} : c.where.how;

	c.nmis++;
	c.in_nmi = true;
	const unsigned int interrupted = nmi_on;
	nmi_on = cpu;
	in_context level(context::nmi);
	if (before_nmi)
		before_nmi(cpu);
	for (const auto &[event, made] : counters)
		if ((causes & overflowed) && made.cpu == cpu && made.started)
			nmiprof_core_on_overflow(state(cpu), nullptr, ip, how);
	const bool tick = state(cpu)->claim.outstanding();
	const int mine = nmi_registered ? nmiprof_core_on_nmi(state(cpu), nullptr, ip, how) : 0;

	EXPECT_TRUE(mine == 0 || mine == 1);
	EXPECT_FALSE(tick && nmi_registered && !mine) << "a tick was not claimed";
	if (tick && nmi_registered) {
		if (c.ticks++ && now - c.last_tick_at > c.longest_gap)
			c.longest_gap = now - c.last_tick_at;
		c.last_tick_at = now;
	}
	if (mine) {
		c.swallowed_foreign += (causes & foreign_unowned) != 0;
	} else if (!(causes & (foreign_owned | overflowed))) {
		if (nmi_registered && nmiprof_core_on_unknown_nmi(state(cpu)))
			c.late++;
		else if (causes & ours)
			c.unknown_ours++;
		else
			c.unknown_foreign++;
	}
	nmi_on = interrupted;
	c.in_nmi = false;
}

// --- timers ---

void machine::kick(unsigned int cpu)
{
	cpus[cpu].kicks++;
	post(now + ipi_ns, kind::kick, cpu);
}

void machine::cancel(unsigned int cpu)
{
	cpus[cpu].timer_generation++;
	cpus[cpu].timer_at = 0;
	cpus[cpu].timer_expired = false;
}

void machine::flush()
{
	for (unsigned int i = 0; i < cpus.size(); i++)
		EXPECT_FALSE(cpus[i].online && cpus[i].blocked)
			<< "waits for a blocked CPU for ever";
	run(2 * ipi_ns);
}

// --- memory ---

void *machine::alloc(std::size_t bytes)
{
	void *p = nullptr;

	expect_may_sleep("shim_alloc()");
	if (!bytes)
		return nullptr;
	allocations++;
	if (fail_allocations || (fail_allocation && --fail_allocation == 0))
		return nullptr;
	if (posix_memalign(&p, 64, bytes))
		std::abort();
	std::memset(p, 0, bytes);
	objects_[p] = bytes;
	live_bytes += bytes;
	if (live_bytes > peak_bytes)
		peak_bytes = live_bytes;
	return p;
}

// Pointers that were set to something else without publishing that (RCU_INIT_POINTER())
// are found here.
bool machine::still_published(void *p)
{
	if (!publications_.count(p))
		return false;
	for (auto at = published_.begin(); at != published_.end();) {
		if (at->second == p && __atomic_load_n(at->first, __ATOMIC_RELAXED) == p)
			return true;
		at = at->second == p ? published_.erase(at) : std::next(at);
	}
	publications_.erase(p);
	return false;
}

void machine::free(void *p)
{
	if (!p)
		return;
	const auto found = objects_.find(p);

	if (found == objects_.end()) {
		ADD_FAILURE() << "freed twice, or never allocated";
		return;
	}
	EXPECT_FALSE(still_published(p)) << "freed while published";
	EXPECT_FALSE(withdrawn_.count(p)) << "freed without a grace period";
	withdrawn_.erase(p);
	// Pointers in it lead nowhere any more.
	for (auto at = published_.lower_bound(static_cast<void **>(p));
	     at != published_.end() &&
	     reinterpret_cast<char *>(at->first) < static_cast<char *>(p) + found->second;
	     at = published_.erase(at))
		if (at->second && --publications_[at->second] == 0)
			publications_.erase(at->second);
	live_bytes -= found->second;
	objects_.erase(found);
	std::free(p);
}

int machine::states_alloc(std::size_t bytes)
{
	constexpr std::size_t line = 64;

	expect_may_sleep("shim_cpu_states_alloc()");
	if (fail_cpu_states)
		return -12;
	EXPECT_EQ(states_, nullptr);
	state_bytes_ = (bytes + line - 1) / line * line;
	if (posix_memalign(reinterpret_cast<void **>(&states_), line, state_bytes_ * cpus.size()))
		std::abort();
	std::memset(states_, 0, state_bytes_ * cpus.size());
	return 0;
}

void machine::states_free()
{
	std::free(states_);
	states_ = nullptr;
}

nmiprof_cpu *machine::state(unsigned int cpu)
{
	EXPECT_LT(cpu, cpus.size());
	EXPECT_NE(states_, nullptr);
	if (cpu >= cpus.size() || !states_)
		std::abort();
	// Not possible: present never changes back, and what is not present is a hole.
	return cpus[cpu].present ? reinterpret_cast<nmiprof_cpu *>(states_ + state_bytes_ * cpu)
				 : nullptr;
}

// --- RCU ---

void machine::assign(void **where, void *what)
{
	void *&known = published_[where];
	void *old = __atomic_load_n(where, __ATOMIC_RELAXED);

	if (known && --publications_[known] == 0)
		publications_.erase(known);
	if (old && old != what) {
		withdrawn_.insert(old);
		visited_[old].clear();
	}
	known = what;
	if (what) {
		publications_[what]++;
		withdrawn_.erase(what);
	}
	__atomic_store_n(where, what, __ATOMIC_RELEASE);
}

// A task that was sent there runs: whoever had preemption off there is through.
void machine::run_task_on(unsigned int cpu)
{
	expect_may_sleep("shim_run_on()");
	EXPECT_GT(cpus_locked, 0u) << "CPU " << cpu << " may go offline";
	EXPECT_TRUE(cpus[cpu].present && cpus[cpu].online) << "CPU " << cpu << " is offline";
	if (on_visit)
		on_visit(cpu);
	task_on = cpu;
	for (auto p = withdrawn_.begin(); p != withdrawn_.end();) {
		std::set<unsigned int> &visited = visited_[*p];
		bool all = true;

		visited.insert(cpu);
		for (unsigned int other = 0; other < cpus.size(); other++)
			all &= !cpus[other].present || !cpus[other].online || visited.count(other);
		p = all ? withdrawn_.erase(p) : std::next(p);
	}
}

void machine::synchronize()
{
	expect_may_sleep("shim_synchronize_rcu()");
	const std::set<void *> waited_for = withdrawn_;
	std::deque<deferred> over;

	over.swap(deferred_objects);
	grace_periods++;
	if (in_grace_period)
		in_grace_period();
	run(grace_period_ns);
	for (void *p : waited_for)
		withdrawn_.erase(p);
	for (const deferred &object : over) {
		if (object.done)
			object.done(object.head);
		else
			free(object.head);
	}
}

// --- locks ---

void machine::lock(const void *lock, bool reading)
{
	int &held = locked[lock];

	expect(context::process, "a lock was taken");
	EXPECT_TRUE(reading ? held >= 0 : held == 0) << "deadlock: the lock is held already";
	held += reading ? 1 : -1;
	levels.back().preempt++;
}

void machine::unlock(const void *lock, bool reading)
{
	int &held = locked[lock];

	EXPECT_TRUE(reading ? held > 0 : held == -1) << "not held";
	held -= reading ? 1 : -1;
	if (!held)
		locked.erase(lock);
	levels.back().preempt--;
	if (on_unlock)
		on_unlock(lock);
}

namespace {

void log_line(std::vector<std::string> &to, const char *format, va_list arguments)
{
	char line[512];

	std::vsnprintf(line, sizeof(line), format, arguments);
	to.emplace_back(line);
}

} // namespace

} // namespace sim

using sim::current;
using sim::levels;

extern "C" {

shim_u64 shim_now_ns(void) noexcept
{
	return current->now;
}

shim_u64 shim_cycles_per_ms(void) noexcept
{
	return sim::cycles_per_ns * 1'000'000;
}

sim::cycles_t shim_cycles(void) noexcept
{
	return static_cast<sim::cycles_t>(current->now * sim::cycles_per_ns +
					  current->extra_cycles);
}

void shim_rcu_read_lock(void) noexcept
{
	levels.back().rcu++;
}

void shim_rcu_read_unlock(void) noexcept
{
	EXPECT_GT(levels.back().rcu, 0u);
	levels.back().rcu--;
}

void shim_rcu_read_lock_sched(void) noexcept
{
	levels.back().preempt++;
	levels.back().rcu++;
}

void shim_rcu_read_unlock_sched(void) noexcept
{
	shim_rcu_read_unlock();
	shim_preempt_enable();
}

void shim_preempt_disable(void) noexcept
{
	levels.back().preempt++;
}

void shim_preempt_enable(void) noexcept
{
	EXPECT_GT(levels.back().preempt, 0u);
	levels.back().preempt--;
}

void shim_update_lock(void) noexcept
{
	sim::machine::expect_may_sleep("shim_update_lock()");
	EXPECT_FALSE(current->update_locked) << "the update lock does not nest";
	current->update_locked = true;
	current->update_locks++;
}

void shim_update_unlock(void) noexcept
{
	EXPECT_TRUE(current->update_locked);
	current->update_locked = false;
}

void shim_assert_in_nmi(void) noexcept
{
	sim::machine::expect(sim::context::nmi, "an nmi_context was made");
}

void shim_assert_in_irq(void) noexcept
{
	sim::machine::expect(sim::context::irq, "an irq_context was made");
}

void shim_assert_may_sleep(void) noexcept
{
	sim::machine::expect_may_sleep("a may_sleep was made");
}

unsigned int shim_nr_cpu_ids(void) noexcept
{
	return static_cast<unsigned int>(current->cpus.size());
}

void shim_cpus_lock(void) noexcept
{
	sim::machine::expect_may_sleep("shim_cpus_lock()");
	EXPECT_FALSE(current->update_locked) << "CPUs are held before the update lock is taken";
	current->cpus_locked++;
}

void shim_cpus_unlock(void) noexcept
{
	EXPECT_GT(current->cpus_locked, 0u);
	current->cpus_locked--;
}

void shim_cpu_relax(void) noexcept
{
	current->relaxed++;
	if (current->on_relax)
		current->on_relax();
}

int shim_cpu_online(unsigned int cpu) noexcept
{
	return cpu < current->cpus.size() && current->cpus[cpu].online &&
	       current->cpus[cpu].present;
}

int shim_cpu_present(unsigned int cpu) noexcept
{
	return cpu < current->cpus.size() && current->cpus[cpu].present;
}

int shim_cpu_states_alloc(shim_size bytes) noexcept
{
	return current->states_alloc(bytes);
}

void shim_cpu_states_free(void) noexcept
{
	current->states_free();
}

struct nmiprof_cpu *shim_cpu_state(unsigned int cpu) noexcept
{
	return current->state(cpu);
}

void shim_log_refused(const char *format, ...) noexcept
{
	va_list arguments;

	sim::machine::expect(sim::context::process, "shim_log_refused()");
	va_start(arguments, format);
	sim::log_line(current->refused, format, arguments);
	va_end(arguments);
}

void shim_log_notice(const char *format, ...) noexcept
{
	va_list arguments;

	sim::machine::expect(sim::context::process, "shim_log_notice()");
	va_start(arguments, format);
	sim::log_line(current->notices, format, arguments);
	va_end(arguments);
}

void shim_log_over_budget(unsigned int cpu, unsigned int percent) noexcept
{
	current->notices.push_back("CPU " + std::to_string(cpu) + " is over its budget of " +
				   std::to_string(percent) + " %");
}

void shim_perf_sample(struct perf_event *event, struct pt_regs *, shim_u64 period_ns) noexcept
{
	sim::machine::expect(sim::context::nmi, "shim_perf_sample()");
	current->perf_samples.push_back({current->nmi_on, event, current->now, period_ns});
	current->extra_cycles += current->perf_sample_ns * sim::cycles_per_ns;
}

int shim_counter_create(unsigned int cpu, shim_u64 rate_hz, struct perf_event **out) noexcept
{
	sim::machine::expect_may_sleep("shim_counter_create()");
	if (!current->has_pmu)
		return -2; // ENOENT, as perf says
	if (current->fail_allocations || (current->fail_allocation && !--current->fail_allocation))
		return -12; // ENOMEM
	EXPECT_TRUE(current->cpus[cpu].online) << "a counter of a CPU that is offline";
	current->counter_places.push_back(std::make_unique<char>());
	*out = reinterpret_cast<perf_event *>(current->counter_places.back().get());
	current->counters[*out] = {cpu, rate_hz, false};
	return 0;
}

void shim_counter_start(struct perf_event *counter) noexcept
{
	current->counters.at(counter).started = true;
}

void shim_counter_destroy(struct perf_event *counter) noexcept
{
	sim::machine::expect_may_sleep("shim_counter_destroy()");
	EXPECT_EQ(current->counters.erase(counter), 1u) << "a counter destroyed twice";
}

void shim_trace_handler_registered(unsigned int number, const char *name) noexcept
{
	current->traced.push_back("registered " + std::to_string(number) + " " + name);
}

void shim_trace_handler_replaced(unsigned int number, const char *name) noexcept
{
	current->traced.push_back("replaced " + std::to_string(number) + " " + name);
}

void shim_trace_handler_unregistered(unsigned int number, const char *name) noexcept
{
	current->traced.push_back("unregistered " + std::to_string(number) + " " + name);
}

void shim_trace_buffer_swapped(shim_u64 old_bytes, shim_u64 new_bytes,
			       shim_u64 grace_period_ns) noexcept
{
	current->traced.push_back("swapped " + std::to_string(old_bytes) + " " +
				  std::to_string(new_bytes) + " " +
				  std::to_string(grace_period_ns));
}

void shim_trace_nmi_lost(unsigned int cpu, enum nmiprof_lost why) noexcept
{
	current->traced.push_back("lost " + std::to_string(cpu) +
				  (why == NMIPROF_LOST_OFFLINE ? " offline" : " timeout"));
}

void shim_trace_nmi_late(unsigned int cpu) noexcept
{
	current->traced.push_back("late " + std::to_string(cpu));
}

void shim_warn_leaked(const char *what) noexcept
{
	current->leaked.emplace_back(what);
}

void *shim_alloc(shim_size bytes, unsigned int cpu) noexcept
{
	EXPECT_LT(cpu, current->cpus.size());
	return current->alloc(bytes);
}

void shim_free(void *memory) noexcept
{
	current->free(memory);
}

int shim_nmi_register(void) noexcept
{
	current->nmi_registered = true;
	return 0;
}

void shim_nmi_unregister(void) noexcept
{
	current->nmi_registered = false;
}

void shim_nmi_send(unsigned int cpu) noexcept
{
	current->send(cpu);
}

void shim_nmi_look_below_irq(struct nmiprof_nmi *nmi) noexcept
{
	const sim::cpu &c = current->cpus[current->nmi_on];

	sim::machine::expect(sim::context::nmi, "shim_nmi_look_below_irq()");
	if (!c.in_irq)
		return;
	nmi->ip = c.where.ip;
	nmi->how = c.where.how;
}

void shim_rcu_assign_pointer(void **where, void *what) noexcept
{
	current->assign(where, what);
}

#ifdef NMIPROF_FAULTS

namespace {

nmiprof_fault chosen_fault()
{
	const char *name = std::getenv("NMIPROF_FAULT");
	int which = NMIPROF_FAULT_none;

	if (!name)
		return NMIPROF_FAULT_none;
#define NAME(fault) #fault,
	for (const char *fault : {NMIPROF_FAULT_LIST(NAME)}) {
		which++;
		if (!std::strcmp(name, fault))
			return static_cast<nmiprof_fault>(which);
	}
#undef NAME
	std::fprintf(stderr, "NMIPROF_FAULT=%s: there is no such fault\n", name);
	std::abort();
}

} // namespace

nmiprof_fault nmiprof_planted = chosen_fault();

void shim_fault_pause(void) noexcept
{
}

void shim_fault_gap(void) noexcept
{
	if (current->in_grace_period)
		current->in_grace_period();
	current->run(1'000'000);
}

void shim_fault_free_held(void) noexcept
{
}

#endif

void shim_synchronize_rcu(void) noexcept
{
	current->synchronize();
}

int shim_text_range(shim_u64 *start, shim_u64 *end) noexcept
{
	if (!current->text_known)
		return -2;
	*start = current->text_start;
	*end = current->text_end;
	return 0;
}

void shim_timer_init(void) noexcept
{
}

void shim_timer_kick(unsigned int cpu) noexcept
{
	EXPECT_TRUE(shim_cpu_online(cpu)) << "CPU " << cpu << " kicked while offline";
	current->kick(cpu);
}

void shim_timer_cancel(unsigned int cpu) noexcept
{
	sim::machine::expect(sim::context::process, "shim_timer_cancel()");
	current->cancel(cpu);
}

void shim_timer_flush(void) noexcept
{
	sim::machine::expect_may_sleep("shim_timer_flush()");
	current->flush();
}

void shim_sleep_us(unsigned int us) noexcept
{
	sim::machine::expect_may_sleep("shim_sleep_us()");
	current->run(shim_u64{us} * 1000);
}

} // extern "C"
