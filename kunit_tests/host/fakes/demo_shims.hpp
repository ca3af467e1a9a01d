// SPDX-License-Identifier: GPL-2.0-only
// What tests of the demonstrations tell the simulated machine besides.
#pragma once

#include <functional>

#include "machine.hpp"

namespace sim {

// Called when a grace period was asked about that is not over; null: none.
inline std::function<void()> on_poll;

// While there is one, what is freed stays as it is: who uses it is seen by the code under
// test, not by the sanitizer.
class keep_freed {
      public:
	keep_freed();
	~keep_freed();
	keep_freed(const keep_freed &) = delete;
	keep_freed &operator=(const keep_freed &) = delete;
};

} // namespace sim
