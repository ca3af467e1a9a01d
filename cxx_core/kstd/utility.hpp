// SPDX-License-Identifier: GPL-2.0-only
// The few pieces of <utility>, <algorithm> and <new> that the core uses.
#pragma once

#include "kstd/types.hpp"

namespace kstd {

template <class T> struct remove_reference {
	using type = T;
};
template <class T> struct remove_reference<T &> {
	using type = T;
};
template <class T> struct remove_reference<T &&> {
	using type = T;
};

template <class T> constexpr typename remove_reference<T>::type &&move(T &&t) noexcept
{
	return static_cast<typename remove_reference<T>::type &&>(t);
}

template <class T> constexpr T exchange(T &object, T value) noexcept
{
	T old = kstd::move(object);
	object = kstd::move(value);
	return old;
}

template <class T> constexpr T min(T a, T b) noexcept
{
	return b < a ? b : a;
}

template <class T> constexpr T max(T a, T b) noexcept
{
	return a < b ? b : a;
}

constexpr bool has_single_bit(uint64_t v) noexcept
{
	return v && !(v & (v - 1));
}

// Tag for the placement new below: spelled so that it cannot collide with
// <new> when the core is built for the host.
struct here {
	void *at;
};

} // namespace kstd

inline void *operator new(kstd::size_t, kstd::here place) noexcept
{
	return place.at;
}

inline void operator delete(void *, kstd::here) noexcept
{
}
