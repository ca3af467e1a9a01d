// SPDX-License-Identifier: GPL-2.0-only
// What module/settings.c calls of the kernel. A text is taken apart as the kernel does
// it: lib/kstrtox.c, lib/bitmap-str.c, lib/string_helpers.c.
#include "settings_kernel.h"

#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "settings_fuzz.hpp"
#include "shim/cpu.h"

namespace fuzz {

const attribute_group *settings_group;
std::vector<std::string> settings_lines;

} // namespace fuzz

namespace {

// A list of CPUs: a-b, a-b:used/group, N the last CPU, "all"; commas and spaces part
// them, a newline ends them.
class cpu_list {
      public:
	cpu_list(const char *at, unsigned long *bits) : at_(at), bits_(bits)
	{
	}
	int parse()
	{
		*bits_ = 0;
		for (;;) {
			while (*at_ && *at_ != '\n' && between(*at_))
				at_++;
			if (ended())
				return 0;
			if (const int err = region())
				return err;
		}
	}

      private:
	static bool between(char c)
	{
		return std::isspace(static_cast<unsigned char>(c)) || c == ',';
	}
	bool ended() const
	{
		return !*at_ || *at_ == '\n';
	}
	bool region_ended() const
	{
		return ended() || between(*at_);
	}
	int number(unsigned long &n)
	{
		if (*at_ == 'N') {
			at_++;
			n = nr_cpu_ids - 1;
			return 0;
		}
		if (!std::isdigit(static_cast<unsigned char>(*at_)))
			return -EINVAL;
		for (n = 0; std::isdigit(static_cast<unsigned char>(*at_)); at_++) {
			n = n * 10 + (*at_ - '0');
			if (n > std::numeric_limits<unsigned int>::max())
				return -EOVERFLOW;
		}
		return 0;
	}
	int region()
	{
		unsigned long start = 0, end = nr_cpu_ids - 1, used, group;
		int err = 0;

		if (!strncasecmp(at_, "all", 3)) {
			at_ += 3;
		} else {
			err = number(start);
			end = start;
			if (!err && !region_ended())
				err = *at_++ == '-' ? number(end) : -EINVAL;
		}
		if (err)
			return err;
		used = group = end + 1;
		if (!region_ended()) {
			if (*at_++ != ':' || number(used) || *at_++ != '/' || number(group) ||
			    !region_ended())
				return -EINVAL;
		}
		if (start > end || !group || used > group)
			return -EINVAL;
		if (end >= nr_cpu_ids)
			return -ERANGE;
		for (unsigned long cpu = start; cpu <= end; cpu++)
			if ((cpu - start) % group < used)
				*bits_ |= 1UL << cpu;
		return 0;
	}

	const char *at_;
	unsigned long *bits_;
};

} // namespace

extern "C" {

void settings_log(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	std::vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fuzz::settings_lines.emplace_back(line);
}

int sysfs_create_group(kobject *, const attribute_group *group)
{
	fuzz::settings_group = group;
	return 0;
}

void sysfs_remove_group(kobject *, const attribute_group *group)
{
	EXPECT_EQ(group, fuzz::settings_group);
	fuzz::settings_group = nullptr;
}

// Of the kernel's own formats it knows %*pbl, the only one in use.
int sysfs_emit(char *buf, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	if (!std::strcmp(format, "%*pbl\n")) {
		const unsigned int bits = va_arg(arguments, unsigned int);
		const unsigned long mask = *va_arg(arguments, const unsigned long *);
		std::string list;

		for (unsigned int first = 0; first < bits; first++) {
			unsigned int last = first;

			if (!(mask >> first & 1))
				continue;
			while (last + 1 < bits && mask >> (last + 1) & 1)
				last++;
			list += (list.empty() ? "" : ",") + std::to_string(first) +
				(last > first ? "-" + std::to_string(last) : "");
			first = last;
		}
		length = std::snprintf(buf, fuzz::page, "%s\n", list.c_str());
	} else {
		EXPECT_EQ(std::strstr(format, "%*p"), nullptr) << "a format of the kernel's own";
		length = std::vsnprintf(buf, fuzz::page, format, arguments);
	}
	va_end(arguments);
	return length;
}

int scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const int length = std::vsnprintf(buf, size, format, arguments);
	va_end(arguments);
	// What is there, not what there would be if it fitted.
	return size && length >= static_cast<int>(size) ? static_cast<int>(size) - 1 : length;
}

bool sysfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b || (!*a && *b == '\n' && !b[1]) || (*a == '\n' && !a[1] && !*b);
}

int __sysfs_match_string(const char *const *array, size_t n, const char *s)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (sysfs_streq(array[i], s))
			return static_cast<int>(i);
	return -EINVAL;
}

int kstrtoul(const char *s, unsigned int base, unsigned long *result)
{
	unsigned long value = 0;
	bool any = false;

	if (*s == '+')
		s++;
	if (!base)
		base = s[0] != '0' ? 10 : std::tolower(s[1]) == 'x' && std::isxdigit(s[2]) ? 16 : 8;
	if (base == 16 && s[0] == '0' && std::tolower(s[1]) == 'x')
		s += 2;
	for (;; s++, any = true) {
		const int c = std::tolower(static_cast<unsigned char>(*s));
		const unsigned int digit = std::isdigit(c)	  ? c - '0'
					   : c >= 'a' && c <= 'f' ? c - 'a' + 10
								  : 99;

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	if (*s == '\n')
		s++;
	if (!any || *s)
		return -EINVAL;
	*result = value;
	return 0;
}

int kstrtouint(const char *s, unsigned int base, unsigned int *result)
{
	unsigned long value;

	if (const int err = kstrtoul(s, base, &value))
		return err;
	if (value > std::numeric_limits<unsigned int>::max())
		return -ERANGE;
	*result = static_cast<unsigned int>(value);
	return 0;
}

bool zalloc_cpumask_var(cpumask_var_t *mask, int)
{
	*mask = new cpumask{};
	return true;
}

void free_cpumask_var(cpumask_var_t mask)
{
	delete mask;
}

int cpulist_parse(const char *text, cpumask *mask)
{
	return cpu_list(text, mask->bits).parse();
}

} // extern "C"
