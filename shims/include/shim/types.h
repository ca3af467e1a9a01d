/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integers for headers that both the kernel's C and the core's C++ read. The
 * core sees no kernel header: the two branches below are the whole border.
 */
#ifndef SHIM_TYPES_H
#define SHIM_TYPES_H

#ifdef __cplusplus
/* lint: NEW_TYPEDEFS: names that both languages can give to their own types */
typedef __UINT8_TYPE__ shim_u8;
typedef __UINT32_TYPE__ shim_u32;
typedef __UINT64_TYPE__ shim_u64;
typedef __SIZE_TYPE__ shim_size;
#define SHIM_BEGIN extern "C" {
/* lint: COMPLEX_MACRO: closes the block that SHIM_BEGIN opens */
#define SHIM_END }
#define SHIM_NOEXCEPT noexcept
/* lint: PREFER_DEFINED_ATTRIBUTE_MACRO: the kernel's __printf is not for C++ */
#define SHIM_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#else
#include <linux/compiler_attributes.h>
#include <linux/types.h>
typedef u8 shim_u8;
typedef u32 shim_u32;
/* lint: NEW_TYPEDEFS: as above */
typedef unsigned long shim_u64;
typedef size_t shim_size;
#define SHIM_BEGIN
#define SHIM_END
/* lint: SPACING at SHIM_NOEXCEPT: "(void) SHIM_NOEXCEPT" is taken for a cast */
#define SHIM_NOEXCEPT
#define SHIM_PRINTF(format_at, args_at) __printf(format_at, args_at)
#endif

#endif /* SHIM_TYPES_H */
