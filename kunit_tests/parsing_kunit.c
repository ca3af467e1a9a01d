// SPDX-License-Identifier: GPL-2.0-only
/* What can be written to /sys/kernel/nmiprof, and what comes of it. */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/string.h>

#include "glue_kunit.h"
#include "support_kunit.h"

#define ROOM 256

static ssize_t put(const char *name, const char *bytes, size_t count)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/nmiprof/%s", name);
	return kt_put(path, bytes, count);
}

static ssize_t get(const char *name, char value[ROOM])
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/nmiprof/%s", name);
	return kt_get(path, value, ROOM);
}

/* err 0: then the file reads @reads, with a newline behind it. */
struct value {
	const char *desc, *text;
	size_t count; /* 0: the length of the text */
	int err;
	const char *reads;
};

static void describe_value(const struct value *v, char *desc)
{
	strscpy(desc, v->desc, KUNIT_PARAM_DESC_SIZE);
}

static const struct value rates[] = {
	{ "least", "1", 0, 0, "1" },
	{ "most", "100000\n", 0, 0, "100000" },
	{ "hex", "0x3e8", 0, 0, "1000" },
	{ "zero", "0", 0, -ERANGE },
	{ "beyond", "100001", 0, -ERANGE },
	{ "2^64", "18446744073709551616", 0, -ERANGE },
	{ "2^64+1000", "18446744073709552616", 0, -ERANGE },
	{ "minus", "-1", 0, -EINVAL },
	{ "word", "fast", 0, -EINVAL },
	{ "tail", "10x", 0, -EINVAL },
	{ "newline", "\n", 0, -EINVAL },
	{ "zero_byte", "10\00000", 5, -EINVAL },
};

static const struct value granularities[] = {
	{ "auto", "0", 0, 0, "0" },
	{ "64", "64", 0, 0, "64" },
	{ "largest", "65536", 0, 0, "65536" },
	{ "too_large", "131072", 0, -ERANGE },
	{ "too_small", "2", 0, -ERANGE },
	{ "no_power", "48", 0, -EINVAL },
	{ "2^63", "9223372036854775808", 0, -ERANGE },
	{ "minus", "-16", 0, -EINVAL },
	{ "zero_byte", "16\0", 3, -EINVAL },
};

static const struct value layouts[] = {
	{ "percpu", "percpu\n", 0, 0, "percpu" },
	{ "shared", "shared", 0, 0, "shared" },
	{ "prefix", "share", 0, -EINVAL },
	{ "longer", "sharedx", 0, -EINVAL },
	{ "case", "Shared", 0, -EINVAL },
	{ "number", "1", 0, -EINVAL },
	{ "two_lines", "shared\n\n", 0, -EINVAL },
	{ "zero_byte", "shared\0", 7, -EINVAL },
};

static const struct value enables[] = {
	{ "on", "1", 0, 0, "1" },
	{ "off", "0\n", 0, 0, "0" },
	{ "two", "2", 0, -EINVAL },
	{ "minus", "-1", 0, -EINVAL },
	{ "word", "on", 0, -EINVAL },
	{ "2^32+1", "4294967297", 0, -ERANGE },
	{ "zero_byte", "1\0", 2, -EINVAL },
};

static const struct value cpu_lists[] = {
	{ "one", "1", 0, 0, "1" },
	{ "range", "0-2\n", 0, 0, "0-2" },
	{ "mixed", "3,0-1", 0, 0, "0-1,3" },
	{ "all", "all\n", 0, 0, "all" },
	{ "empty", "\n", 0, -EINVAL },
	{ "beyond", "0-4096", 0, -EINVAL },
	{ "huge", "4294967296", 0, -EINVAL },
	{ "turned", "2-1", 0, -EINVAL },
	{ "word", "some", 0, -EINVAL },
	{ "minus", "-1", 0, -EINVAL },
	{ "zero_byte", "1\0,2", 4, -EINVAL },
};

/* "pmu" itself: taken or refused, as the machine has one */
static const struct value sources[] = {
	{ "timer", "timer\n", 0, 0, "timer" },
	{ "prefix", "pm", 0, -EINVAL },
	{ "longer", "timers", 0, -EINVAL },
	{ "number", "1", 0, -EINVAL },
	{ "empty", "\n", 0, -EINVAL },
	{ "zero_byte", "pmu\0", 4, -EINVAL },
};

KUNIT_ARRAY_PARAM(rate, rates, describe_value);
KUNIT_ARRAY_PARAM(granularity, granularities, describe_value);
KUNIT_ARRAY_PARAM(layout, layouts, describe_value);
KUNIT_ARRAY_PARAM(source, sources, describe_value);
KUNIT_ARRAY_PARAM(enable, enables, describe_value);
KUNIT_ARRAY_PARAM(cpus, cpu_lists, describe_value);

/* A value is taken as a whole, or refused and everything stays as it was. */
static void try_value(struct kunit *test, const char *name)
{
	const struct value *v = test->param_value;
	const size_t count = v->count ?: strlen(v->text);
	char before[ROOM], after[ROOM];

	KUNIT_ASSERT_GT(test, get(name, before), 0L);
	KUNIT_EXPECT_EQ(test, put(name, v->text, count), v->err ?: (ssize_t)count);
	KUNIT_ASSERT_GT(test, get(name, after), 0L);
	if (v->err) {
		KUNIT_EXPECT_STREQ(test, after, before);
		return;
	}
	KUNIT_ASSERT_EQ(test, strlen(after), strlen(v->reads) + 1);
	KUNIT_EXPECT_EQ(test, after[strlen(v->reads)], '\n');
	after[strlen(v->reads)] = '\0';
	KUNIT_EXPECT_STREQ(test, after, v->reads);
}

static void rate_hz(struct kunit *test)
{
	try_value(test, "rate_hz");
}

static void granularity(struct kunit *test)
{
	try_value(test, "granularity");
}

static void source(struct kunit *test)
{
	try_value(test, "source");
}

static void layout(struct kunit *test)
{
	try_value(test, "layout");
}

static void enable(struct kunit *test)
{
	try_value(test, "enable");
}

static void cpus(struct kunit *test)
{
	if (num_online_cpus() < 4)
		kunit_skip(test, "needs four CPUs");
	try_value(test, "cpus");
}

static void a_refusal_while_sampling_changes_nothing(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kt_enable(), 0);
	KUNIT_EXPECT_EQ(test, put("rate_hz", "0", 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, put("granularity", "3", 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, put("cpus", "4095", 4), -EINVAL);
	KUNIT_EXPECT_EQ(test, nmiprof_core_enabled(), 1);
	KUNIT_EXPECT_TRUE(test, kt_sampled(1));
}

/* cpu_set is laid out as the kernel's cpumask is, of whatever length. */
static void a_cpu_set_is_a_cpumask(struct kunit *test)
{
	unsigned int bits, i;

	for (bits = 1; bits <= 200; bits += 33) {
		shim_u64 words[4] = { ~0UL, 0x5555555555555555UL, ~0UL, 0x8000000000000001UL };

		KUNIT_EXPECT_TRUE_MSG(test, kt_cpu_set_matches(words, bits), "%u bits", bits);
		for (i = 0; i < 4; i++)
			words[i] = ~words[i];
		KUNIT_EXPECT_TRUE_MSG(test, kt_cpu_set_matches(words, bits), "%u bits", bits);
	}
	KUNIT_EXPECT_TRUE(test, kt_cpu_set_matches(cpumask_bits(cpu_online_mask), nr_cpu_ids));
	KUNIT_EXPECT_TRUE(test, kt_cpu_set_matches(cpumask_bits(cpumask_of(1)), nr_cpu_ids));
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(rate_hz, rate_gen_params),
	KUNIT_CASE_PARAM(granularity, granularity_gen_params),
	KUNIT_CASE_PARAM(layout, layout_gen_params),
	KUNIT_CASE_PARAM(source, source_gen_params),
	KUNIT_CASE_PARAM(enable, enable_gen_params),
	KUNIT_CASE_PARAM(cpus, cpus_gen_params),
	KUNIT_CASE(a_refusal_while_sampling_changes_nothing),
	KUNIT_CASE(a_cpu_set_is_a_cpumask),
	{ }
};

static struct kunit_suite suite = {
	.name = "nmiprof_parsing",
	.init = kt_init,
	.exit = kt_exit,
	.test_cases = cases,
};

kunit_test_suites(&suite);

MODULE_DESCRIPTION("nmiprof: KUnit, values that are written");
MODULE_LICENSE("GPL");
