// SPDX-License-Identifier: GPL-2.0-only
// Planted faults, each off unless the build names it (make FAULT=name): a test
// that passes with one of them on proves nothing. Not for use.
#pragma once

namespace nmiprof::fault {

#ifdef NMIPROF_FAULT_no_grace_period // reclaim() does not wait
inline constexpr bool no_grace_period = true;
#else
inline constexpr bool no_grace_period = false;
#endif

#ifdef NMIPROF_FAULT_double_count // a sample is put into its bin twice
inline constexpr bool double_count = true;
#else
inline constexpr bool double_count = false;
#endif

#ifdef NMIPROF_FAULT_late_flag // the claim flag is set after sending
inline constexpr bool late_flag = true;
#else
inline constexpr bool late_flag = false;
#endif

} // namespace nmiprof::fault
