// SPDX-License-Identifier: GPL-2.0-only
// The core's extern "C" side for process context: takes the update lock, calls,
// turns errc into -errno.
#include "core.hpp"
#include "entry.hpp"
#include "ledger.hpp"
#include "nmiprof_core.h"
#include "shim/text.h"
#include "shim/timer.h"

using namespace nmiprof;
using kstd::errc;
using kstd::to_errno;

namespace {

static_assert(terms <= NMIPROF_MAX_TERMS);

// A copy to edit: larger than a kernel stack likes. Writer: update_lock.
constinit settings edited;

// May sleep, and holds the update lock.
class process {
      public:
	process() noexcept : sleep(entry::process()), lock(sleep)
	{
	}
	const may_sleep sleep;
	const update_lock lock;
};

// Without overflow for runs of days.
kstd::uint64_t cycles_to_ns(kstd::uint64_t cycles, kstd::uint64_t cycles_per_ms) noexcept
{
	constexpr kstd::uint64_t ns_per_ms = 1'000'000;

	return cycles / cycles_per_ms * ns_per_ms +
	       cycles % cycles_per_ms * ns_per_ms / cycles_per_ms;
}

const report *of(const nmiprof_report *r) noexcept
{
	return reinterpret_cast<const report *>(r);
}

} // namespace

extern "C" {

int nmiprof_core_init(shim_u64 bytes_per_cpu, shim_u64 bytes_total) noexcept
{
	if (const int err = shim_cpu_states_alloc(sizeof(nmiprof_cpu)))
		return err;

	shim_timer_init();

	const process p;
	shim_u64 start = 0, end = 0;

	if (shim_text_range(&start, &end))
		shim_log_notice(
			"the kernel's text was not found: all samples are counted by address");
	the_control.init(p.sleep, start, end, {bytes_per_cpu, bytes_total});
	return 0;
}

void nmiprof_core_exit(void) noexcept
{
	{
		const process p;

		the_profile.discard(p.lock, p.sleep);
	}
	shim_cpu_states_free();
}

int nmiprof_core_configure(const nmiprof_settings *s, unsigned int fields) noexcept
{
	const process p;

	edited = the_control.current(p.lock);
	if (fields & NMIPROF_RATE_HZ)
		edited.rate_hz = s->rate_hz;
	if (fields & NMIPROF_GRANULARITY)
		edited.bytes_per_bin = s->granularity;
	if (fields & NMIPROF_LAYOUT)
		edited.how = s->shared_layout ? layout::shared : layout::per_cpu;
	if (fields & NMIPROF_SOURCE)
		edited.from_pmu = s->from_pmu;
	if (fields & NMIPROF_CPUS) {
		edited.all_cpus = s->all_cpus;
		if (!s->all_cpus)
			edited.cpus.assign(s->cpus, shim_nr_cpu_ids());
	}
	return to_errno(the_control.apply(p.lock, p.sleep, edited, fields & NMIPROF_CPUS).error());
}

void nmiprof_core_settings(nmiprof_settings *out) noexcept
{
	const process p;
	const settings &s = the_control.current(p.lock);

	*out = {
		.rate_hz = s.rate_hz,
		.granularity = s.bytes_per_bin,
		.shared_layout = s.how == layout::shared,
		.all_cpus = s.all_cpus,
		.from_pmu = s.from_pmu,
		.cpus = s.cpus.words(),
	};
}

int nmiprof_core_enable(void) noexcept
{
	const process p;

	return to_errno(the_control.enable(p.lock, p.sleep).error());
}

void nmiprof_core_disable(void) noexcept
{
	const process p;

	the_control.disable(p.lock, p.sleep);
}

int nmiprof_core_enabled(void) noexcept
{
	const process p;

	return the_control.enabled(p.lock);
}

int nmiprof_core_cpu_online(unsigned int cpu) noexcept
{
	const process p;

	return to_errno(the_control.cpu_online(p.lock, p.sleep, cpu).error());
}

int nmiprof_core_cpu_offline(unsigned int cpu) noexcept
{
	const process p;

	return to_errno(the_control.cpu_offline(p.lock, p.sleep, cpu).error());
}

void nmiprof_core_suspend(void) noexcept
{
	const process p;

	the_control.suspend(p.lock, p.sleep);
}

void nmiprof_core_resume(void) noexcept
{
	const process p;

	the_control.resume(p.lock, p.sleep);
}

void nmiprof_core_halt(void) noexcept
{
	the_timer.halt();
}

const char *nmiprof_core_term_name(unsigned int term) noexcept
{
	return term < terms ? term_names[term] : nullptr;
}

unsigned int nmiprof_core_terms(void) noexcept
{
	return terms;
}

int nmiprof_core_ledger(unsigned int cpu, shim_u64 *out) noexcept
{
	const process p;

	if (cpu >= shim_nr_cpu_ids() || !shim_cpu_state(cpu))
		return to_errno(errc::no_device);

	auto l = read_ledger(p.lock, p.sleep, cpu);

	for (unsigned int i = 0; i < terms; i++)
		out[i] = l.value().value[i];
	return to_errno(l.error());
}

shim_u64 nmiprof_core_discarded(void) noexcept
{
	return the_profile.discarded();
}

shim_u64 nmiprof_core_buffer_bytes(void) noexcept
{
	const process p;

	return the_profile.bytes(p.lock);
}

shim_u64 nmiprof_core_buffer_granularity(void) noexcept
{
	const process p;

	return the_profile.live(p.lock) ? 1ULL << the_profile.shape(p.lock).shift : 0;
}

int nmiprof_core_report(int drain, nmiprof_report **out) noexcept
{
	const process p;
	auto r = drain ? the_profile.drain(p.lock, p.sleep) : the_profile.look(p.lock, p.sleep);

	*out = reinterpret_cast<nmiprof_report *>(r.value());
	return to_errno(r.error());
}

void nmiprof_core_report_free(nmiprof_report *r) noexcept
{
	report::destroy(entry::process(), reinterpret_cast<report *>(r));
}

void nmiprof_core_report_info(const nmiprof_report *r, nmiprof_report_info *info) noexcept
{
	const report &rep = *of(r);

	*info = {
		.text_start = the_control.text_start(),
		.text_end = the_control.text_end(),
		.granularity = 1ULL << rep.shape().shift,
		.outside_granularity = 1ULL << outside_table::address_shift,
		.bins = rep.shape().nbins,
		.outside_rows = rep.outside_rows(),
		.samples = rep.binned + rep.user + rep.idle + rep.out_of_range,
		.user = rep.user,
		.idle = rep.idle,
		.out_of_range = rep.out_of_range,
	};
}

void nmiprof_core_report_row(const nmiprof_report *r, shim_u64 at, nmiprof_row *row) noexcept
{
	const report &rep = *of(r);
	const report::row found =
		at < rep.shape().nbins ? rep.bin_row(at) : rep.outside_row(at - rep.shape().nbins);

	*row = {found.address, found.total, found.irqs_off};
}

int nmiprof_core_handler_add(const char *name, nmiprof_handler_fn fn, void *context) noexcept
{
	const process p;
	auto number = handlers.add(p.lock, p.sleep, name, fn, context);

	return number ? static_cast<int>(number.value()) : to_errno(number.error());
}

int nmiprof_core_handler_replace(unsigned int number, nmiprof_handler_fn fn, void *context) noexcept
{
	const process p;

	return to_errno(handlers.replace(p.lock, p.sleep, number, fn, context).error());
}

int nmiprof_core_handler_remove(unsigned int number) noexcept
{
	const process p;

	return to_errno(handlers.remove(p.lock, p.sleep, number).error());
}

int nmiprof_core_handler_name(unsigned int number, char *out, unsigned int room) noexcept
{
	const process p;
	const char *name = number ? handlers.name(p.lock, number) : "default";

	if (!name || !room)
		return to_errno(errc::no_entry);
	unsigned int i = 0;

	for (; i + 1 < room && name[i]; i++)
		out[i] = name[i];
	out[i] = 0;
	return 0;
}

unsigned int nmiprof_core_max_handlers(void) noexcept
{
	return registry::max_handlers;
}

int nmiprof_core_handler_stats(unsigned int number, unsigned int cpu,
			       nmiprof_handler_stats *out) noexcept
{
	const process p;
	const nmiprof_cpu *c = cpu < shim_nr_cpu_ids() ? shim_cpu_state(cpu) : nullptr;

	if (!c || number >= registry::max_handlers || (number && !handlers.name(p.lock, number)))
		return to_errno(errc::no_entry);

	const handler_stats &s = c->handlers[number];

	*out = {s.invocations.get(), s.claims.get(),
		cycles_to_ns(s.longest.get(), shim_cycles_per_ms())};
	return 0;
}

int nmiprof_core_event_open(struct perf_event *perf, shim_u64 period_ns, shim_u32 flags,
			    nmiprof_event **out) noexcept
{
	const process p;
	auto event = the_control.open_event(p.lock, p.sleep, perf, period_ns, flags);

	*out = event.value();
	return to_errno(event.error());
}

int nmiprof_core_event_inherit(nmiprof_event *of, struct perf_event *perf, shim_u32 flags,
			       nmiprof_event **out) noexcept
{
	auto event = perf_events::inherit(entry::process(), *of, perf, flags);

	*out = event.value();
	return to_errno(event.error());
}

int nmiprof_core_event_period(nmiprof_event *event, shim_u64 period_ns) noexcept
{
	return to_errno(control::ask_event_period(*event, period_ns).error());
}

void nmiprof_core_event_close(nmiprof_event *event) noexcept
{
	the_perf_events.close(entry::process(), event);
}

void nmiprof_core_event_changes(void) noexcept
{
	const process p;

	the_control.change_events(p.lock, p.sleep);
}

void nmiprof_core_event_start(nmiprof_event *event, unsigned int cpu) noexcept
{
	the_perf_events.start(entry::irq(), *shim_cpu_state(cpu), *event);
}

void nmiprof_core_event_stop(nmiprof_event *event, unsigned int cpu) noexcept
{
	the_perf_events.stop(entry::irq(), *shim_cpu_state(cpu), *event);
}

void nmiprof_core_set_perf_budget(unsigned int percent) noexcept
{
	the_perf_events.set_budget(percent);
}

unsigned int nmiprof_core_perf_budget(void) noexcept
{
	return the_perf_events.budget();
}

int nmiprof_core_request(unsigned int self, unsigned int cpu) noexcept
{
	return to_errno(the_timer.request(entry::irq(), self, cpu).error());
}

} // extern "C"
