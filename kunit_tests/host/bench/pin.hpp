// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sched.h>

// Each thread of a benchmark on a CPU of its own: left to themselves, short-lived threads may
// share one, and there is nothing to contend for.
inline void pin(const benchmark::State &state)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(static_cast<unsigned int>(state.thread_index()), &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}
