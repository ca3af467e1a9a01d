// SPDX-License-Identifier: GPL-2.0-only
// Where context tokens come from when no guard makes them: an extern "C" entry
// point is called by the kernel in a context that the kernel defines. Included only
// where such entry points are (nmi_entry.cpp, timer_entry.cpp, profile.cpp, api.cpp and
// demos/*_api.cpp): scripts/check-core-includes looks. Debug builds (make DEBUG=1) check the claim.
#pragma once

#include "context.hpp"

namespace nmiprof {

class entry {
      public:
	static nmi_context nmi() noexcept
	{
#ifdef NMIPROF_DEBUG
		shim_assert_in_nmi();
#endif
		return nmi_context();
	}
	static irq_context irq() noexcept
	{
#ifdef NMIPROF_DEBUG
		shim_assert_in_irq();
#endif
		return irq_context();
	}
	static may_sleep process() noexcept
	{
#ifdef NMIPROF_DEBUG
		shim_assert_may_sleep();
#endif
		return may_sleep();
	}
};

} // namespace nmiprof
