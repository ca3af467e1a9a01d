// SPDX-License-Identifier: GPL-2.0-only
// What the fuzz targets share: the input as a stream of numbers, and failures of the
// fakes' checks, which are GoogleTest's, as a crash that libFuzzer sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fuzz {

// Past its end an input is all zero.
class input {
      public:
	input(const std::uint8_t *data, std::size_t size) : at_(data), end_(data + size)
	{
	}
	bool empty() const
	{
		return at_ == end_;
	}
	std::uint8_t u8()
	{
		return empty() ? 0 : *at_++;
	}
	std::uint16_t u16()
	{
		return static_cast<std::uint16_t>(u8() | u8() << 8);
	}
	std::uint64_t u64()
	{
		std::uint64_t v = 0;

		for (int i = 0; i < 8; i++)
			v |= std::uint64_t{u8()} << 8 * i;
		return v;
	}
	// Up to `most` bytes; their number comes first.
	std::string text(std::size_t most)
	{
		std::string s;

		for (std::size_t n = u8() % (most + 1); n && !empty(); n--)
			s.push_back(static_cast<char>(u8()));
		return s;
	}
	// All that is left.
	std::string rest()
	{
		std::string s(reinterpret_cast<const char *>(at_), end_ - at_);

		at_ = end_;
		return s;
	}

      private:
	const std::uint8_t *at_, *end_;
};

} // namespace fuzz
