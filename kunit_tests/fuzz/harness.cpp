// SPDX-License-Identifier: GPL-2.0-only
#include "harness.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace {

// Behind GoogleTest's own printer, so that the message is out.
class crash_on_failure : public ::testing::EmptyTestEventListener {
	void OnTestPartResult(const ::testing::TestPartResult &result) override
	{
		if (result.failed())
			std::abort();
	}
};

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
	::testing::InitGoogleTest();
	::testing::UnitTest::GetInstance()->listeners().Append(new crash_on_failure);
	return 0;
}
