// SPDX-License-Identifier: GPL-2.0-only
// Planted faults (shim/fault.h) as the core asks for them. Where a build has none,
// planted() is false while compiling, and the rest is empty.
#pragma once

#include "shim/fault.h"

namespace nmiprof::fault {

// Any context.
#ifdef NMIPROF_FAULTS
inline bool planted(nmiprof_fault which) noexcept
{
	return nmiprof_planted == which;
}
#else
constexpr bool planted(nmiprof_fault) noexcept
{
	return false;
}
#endif

} // namespace nmiprof::fault
