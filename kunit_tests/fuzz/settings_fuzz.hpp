// SPDX-License-Identifier: GPL-2.0-only
// Between the target and the kernel that it plays to module/settings.c.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "settings_kernel.h"

namespace fuzz {

constexpr std::size_t page = 4096;

extern const attribute_group *settings_group; // the files, as registered
extern std::vector<std::string> settings_lines; // of the log

} // namespace fuzz
