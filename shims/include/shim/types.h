/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integers for headers that both the kernel's C and the core's C++ read. The
 * core sees no kernel header: the two branches below are the whole border.
 */
#ifndef SHIM_TYPES_H
#define SHIM_TYPES_H

#ifdef __cplusplus
typedef __UINT8_TYPE__ shim_u8;
typedef __UINT32_TYPE__ shim_u32;
typedef __UINT64_TYPE__ shim_u64;
typedef __SIZE_TYPE__ shim_size;
#define SHIM_BEGIN extern "C" {
#define SHIM_END }
#define SHIM_NOEXCEPT noexcept
#else
#include <linux/types.h>
typedef u8 shim_u8;
typedef u32 shim_u32;
typedef unsigned long shim_u64;
typedef size_t shim_size;
#define SHIM_BEGIN
#define SHIM_END
#define SHIM_NOEXCEPT
#endif

#endif /* SHIM_TYPES_H */
