// SPDX-License-Identifier: GPL-2.0-only
// What an empty read section costs on this machine, by what protects it, for one thread and
// for one on each CPU.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <set>

#include "pin.hpp"
#include "read_side_ops.h"

namespace {

constexpr unsigned long loops = 1000;

void sections(benchmark::State &state, const native_op *op)
{
	pin(state);
	if (op->enter)
		op->enter();
	for (auto _ : state)
		op->sections(loops);
	if (op->leave)
		op->leave();
	state.SetItemsProcessed(state.iterations() * static_cast<long>(loops));
}

} // namespace

int main(int argc, char **argv)
{
	const auto cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));

	for (unsigned int i = 0; i < native_nr_ops; i++)
		for (const int threads : std::set{1, cpus})
			benchmark::RegisterBenchmark(native_ops[i].name, sections, &native_ops[i])
				->Threads(threads)
				->UseRealTime();
	benchmark::Initialize(&argc, argv);
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
