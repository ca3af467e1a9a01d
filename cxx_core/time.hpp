// SPDX-License-Identifier: GPL-2.0-only
// Times taken on different CPUs, whose clocks may be a little apart.
#pragma once

#include "kstd/types.hpp"
#include "shim/clock.h"

namespace nmiprof {

// Is `then`, of shim_now_ns(), `ns` or more ago? One that lies ahead is not. Any
// context.
inline bool long_ago(kstd::uint64_t then, kstd::uint64_t ns) noexcept
{
	return static_cast<kstd::int64_t>(shim_now_ns() - then) >= static_cast<kstd::int64_t>(ns);
}

} // namespace nmiprof
