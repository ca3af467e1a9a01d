// SPDX-License-Identifier: GPL-2.0-only
#include "context.hpp"
#include "demos/read_section.h"
#include "shim/delay.h"

// Two loops, as in module/demos/read_side_ops.c: nothing is decided inside.
extern "C" void read_sections(shim_u64 loops, shim_u32 section_ns) noexcept
{
	if (section_ns) {
		for (; loops; loops--) {
			const nmiprof::rcu_read_guard section;

			shim_delay_ns(section_ns);
		}
	} else {
		for (; loops; loops--)
			const nmiprof::rcu_read_guard section;
	}
}
