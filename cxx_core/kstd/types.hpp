// SPDX-License-Identifier: GPL-2.0-only
// Fixed-width integers without a header of the compiler's or the kernel's.
#pragma once

namespace kstd {

using uint8_t = __UINT8_TYPE__;
using uint32_t = __UINT32_TYPE__;
using uint64_t = __UINT64_TYPE__;
using int64_t = __INT64_TYPE__;
using size_t = __SIZE_TYPE__;
using uintptr_t = __UINTPTR_TYPE__;

} // namespace kstd
