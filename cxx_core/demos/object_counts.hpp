// SPDX-License-Identifier: GPL-2.0-only
// How many objects an experiment made and freed since the module was loaded.
#pragma once

#include "kstd/atomic.hpp"
#include "shim/types.h"

namespace rcu_demo {

struct object_counts {
	kstd::atomic<kstd::uint64_t> allocated, freed; // by kfree_rcu(): when handed over

	// Freed before allocated: never more freed than allocated.
	void copy(shim_u64 *to_allocated, shim_u64 *to_freed) const noexcept
	{
		*to_freed = freed.load_acquire();
		*to_allocated = allocated.load_relaxed();
	}
};

} // namespace rcu_demo
