// SPDX-License-Identifier: GPL-2.0-only
// Counting a sample: each CPU its own bins against one set of bins for all. Two
// threads, all samples in one hot bin: what a profile of a spinning lock looks like.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "entry.hpp"
#include "pin.hpp"
#include "slab.hpp"

using nmiprof::bin;
using nmiprof::layout;
using nmiprof::slab;

namespace {

constexpr unsigned int threads = 2, nbins = 4096, hot = 1234;
constexpr kstd::uint64_t base = 0xffffffff81000000, shift = 4;

struct release {
	void operator()(void *p) const
	{
		std::free(p);
	}
};
template <class T> using memory = std::unique_ptr<T, release>;

void *zeroed(std::size_t bytes)
{
	void *p = std::aligned_alloc(64, (bytes + 63) / 64 * 64);

	return std::memset(p, 0, bytes);
}

// As profile_buffer::add_cpu() does.
memory<slab> make(layout how, bin *shared)
{
	const std::size_t own = how == layout::per_cpu ? nbins * sizeof(bin) : 0;
	memory<slab> s(static_cast<slab *>(zeroed(sizeof(slab) + own)));

	s->base = base;
	s->nbins = nbins;
	s->own_nbins = shared ? 0 : nbins;
	s->shared_bins = shared;
	s->shift = shift;
	return s;
}

// One for all threads; made before they start.
memory<bin> shared_bins(static_cast<bin *>(zeroed(nbins * sizeof(bin))));

// Parameter: the layout.
void count(benchmark::State &state)
{
	const auto how = static_cast<layout>(state.range(0));
	const auto &nmi = nmiprof::entry::nmi();
	const memory<slab> s = make(how, how == layout::shared ? shared_bins.get() : nullptr);

	pin(state);

	for (auto _ : state)
		s->count(nmi, base + (hot << shift), 0);
	if (s->binned.get() != static_cast<kstd::uint64_t>(state.iterations()))
		state.SkipWithError("samples were lost");
	state.SetItemsProcessed(state.iterations());
}

BENCHMARK(count)->ArgName("shared")->Arg(0)->Arg(1)->Threads(1)->Threads(threads)->UseRealTime();

} // namespace

BENCHMARK_MAIN();
