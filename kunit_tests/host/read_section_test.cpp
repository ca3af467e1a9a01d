// SPDX-License-Identifier: GPL-2.0-only
// The typed read section that is measured (demos/read_section_api.cpp).
#include "core_test.hpp"

#include "demos/read_section.h"

using read_section_test = core_test;

TEST_F(read_section_test, each_lasts_as_long_as_it_is_told)
{
	const u64 before = m().now;

	read_sections(10, 100);
	EXPECT_EQ(m().now, before + 1000);
	read_sections(10, 0);
	EXPECT_EQ(m().now, before + 1000);
	// The machine's destructor finds a section that was not left.
}
