// SPDX-License-Identifier: GPL-2.0-only
// Errors without exceptions: a value or an errc, which the caller must look at.
// At the border to C an errc becomes a negative errno.
#pragma once

#include "kstd/utility.hpp"

namespace kstd {

// The errnos that the core can report; the numbers are the kernel's ABI.
enum class errc : int {
	ok = 0,
	no_entry = 2,
	again = 11,
	no_memory = 12,
	exists = 17,
	no_device = 19,
	invalid = 22,
	no_space = 28,
	range = 34,
};

constexpr int to_errno(errc e) noexcept
{
	return -static_cast<int>(e);
}

template <class T> class [[nodiscard]] result {
      public:
	constexpr result(errc e) noexcept : error_(e)
	{
	}
	constexpr result(T v) noexcept : value_(kstd::move(v))
	{
	}
	constexpr explicit operator bool() const noexcept
	{
		return error_ == errc::ok;
	}
	constexpr errc error() const noexcept
	{
		return error_;
	}
	constexpr T &value() &noexcept
	{
		return value_;
	}
	constexpr T value() &&noexcept
	{
		return kstd::move(value_);
	}

      private:
	T value_{};
	errc error_ = errc::ok;
};

template <> class [[nodiscard]] result<void> {
      public:
	constexpr result() noexcept = default;
	constexpr result(errc e) noexcept : error_(e)
	{
	}
	constexpr explicit operator bool() const noexcept
	{
		return error_ == errc::ok;
	}
	constexpr errc error() const noexcept
	{
		return error_;
	}

      private:
	errc error_ = errc::ok;
};

} // namespace kstd
