// SPDX-License-Identifier: GPL-2.0-only
// Any text into any of the module's settings, in sysfs and as parameters: module/
// settings.c over the core and the simulated machine.
//
// A value is taken whole or refused with one of the documented errors and one line in
// the log, and then nothing has changed. What a file shows can be written back and
// changes nothing. No byte behind the text is looked at (ASan).
#include <cstring>
#include <set>

#include "core_test.hpp"
#include "harness.hpp"
#include "settings_fuzz.hpp"

extern "C" {
#include "../../module/internal.h"

extern unsigned long *const settings_parameter_rate_hz;
extern unsigned long *const settings_parameter_granularity;
extern char **const settings_parameter_cpus;
extern char **const settings_parameter_layout;
extern char **const settings_parameter_source;
}

namespace {

const std::set<ssize_t> errors = {-EINVAL, -ERANGE, -ENODEV};

class settings_test : public core_test {
      public:
	explicit settings_test(const fuzz::input &in) : in_(in)
	{
	}
	void run();

      private:
	void TestBody() override
	{
	}

	kobj_attribute &file(unsigned int number)
	{
		attribute **a = fuzz::settings_group->attrs;
		unsigned int files = 0;

		while (a[files])
			files++;
		return *reinterpret_cast<kobj_attribute *>(a[number % files]);
	}
	std::string show(kobj_attribute &file);
	std::vector<std::string> show_all();
	ssize_t store(kobj_attribute &file, const std::string &text);
	std::size_t lines()
	{
		return fuzz::settings_lines.size() + m().refused.size();
	}
	void write_and_check(kobj_attribute &file, const std::string &text);
	void load_with_parameters();

	fuzz::input in_;
};

std::string settings_test::show(kobj_attribute &file)
{
	std::vector<char> buf(fuzz::page);
	const ssize_t length = file.show(nullptr, &file, buf.data());

	EXPECT_GT(length, 1);
	EXPECT_LT(length, static_cast<ssize_t>(fuzz::page));
	EXPECT_EQ(buf[length - 1], '\n');
	return {buf.data(), static_cast<std::size_t>(length)};
}

std::vector<std::string> settings_test::show_all()
{
	std::vector<std::string> all;

	for (attribute **a = fuzz::settings_group->attrs; *a; a++)
		all.push_back(show(*reinterpret_cast<kobj_attribute *>(*a)));
	return all;
}

// As kernfs hands it over: a zero byte behind it, nothing else.
ssize_t settings_test::store(kobj_attribute &file, const std::string &text)
{
	const std::vector<char> exact(text.c_str(), text.c_str() + text.size() + 1);

	return file.store(nullptr, &file, exact.data(), text.size());
}

void settings_test::write_and_check(kobj_attribute &file, const std::string &text)
{
	const std::vector<std::string> before = show_all();
	const std::size_t said = lines();
	const ssize_t done = store(file, text);

	if (done != static_cast<ssize_t>(text.size())) {
		EXPECT_TRUE(errors.count(done)) << done;
		EXPECT_EQ(show_all(), before) << "refused, yet changed";
		EXPECT_EQ(lines(), said + 1);
		return;
	}
	EXPECT_EQ(lines(), said) << "taken, with a complaint";
	EXPECT_EQ(text.find('\0'), std::string::npos) << "taken with a zero byte in it";
	const std::vector<std::string> after = show_all();
	const std::string shown = show(file);

	EXPECT_EQ(store(file, shown), static_cast<ssize_t>(shown.size())) << shown;
	EXPECT_EQ(show_all(), after) << "what is shown means something else when written";
}

void settings_test::load_with_parameters()
{
	const std::vector<std::string> before = show_all();
	const std::size_t said = lines();
	std::string cpus = in_.text(30), layout = in_.text(10), source = in_.text(8);

	*settings_parameter_rate_hz = in_.u8() & 1 ? in_.u64() : in_.u16();
	*settings_parameter_granularity = in_.u8() & 1 ? in_.u64() : in_.u8();
	*settings_parameter_cpus = cpus.empty() ? nullptr : cpus.data();
	*settings_parameter_layout = layout.empty() ? nullptr : layout.data();
	*settings_parameter_source = source.empty() ? nullptr : source.data();
	const int err = nmiprof_settings_from_parameters();

	if (err) {
		EXPECT_TRUE(errors.count(err)) << err;
		EXPECT_EQ(show_all(), before) << "refused, yet changed";
		EXPECT_EQ(lines(), said + 1);
	} else {
		EXPECT_EQ(lines(), said);
	}
}

void settings_test::run()
{
	const unsigned int options = in_.u8();

	fuzz::settings_lines.clear();
	EXPECT_EQ(nmiprof_settings_add(nullptr), 0);
	if (options & 1)
		EXPECT_EQ(enable(), 0);
	if (options & 2)
		EXPECT_EQ(offline(3), 0);
	if (options & 4)
		load_with_parameters();
	while (!in_.empty()) {
		kobj_attribute &to = file(in_.u8());

		write_and_check(to, in_.text(200));
		m().run(1 * ms);
	}
	check_ledger();
	nmiprof_settings_remove(nullptr);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	settings_test(fuzz::input(data, size)).run();
	return 0;
}
