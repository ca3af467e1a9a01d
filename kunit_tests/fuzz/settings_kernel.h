/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Enough of the kernel to compile module/settings.c in user mode; included before it
 * (the linux/ headers that it names are empty files). settings_kernel.cpp has the
 * functions.
 */
#ifndef SETTINGS_KERNEL_H
#define SETTINGS_KERNEL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#else
#include <stdbool.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef unsigned long ulong;
typedef char *charp;
#endif

/* The log. */
void settings_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define pr_err_ratelimited settings_log
#define KBUILD_MODNAME "nmiprof"

/* Each parameter has a global name, for the fuzzer to set it by. */
#define module_param(name, type, mode) type *const settings_parameter_##name = &name
#define MODULE_PARM_DESC(name, text) _Static_assert(sizeof(text) > 1, "says nothing")

struct kobject {
	int unused;
};

struct attribute {
	const char *name;
};

struct kobj_attribute {
	struct attribute attr; /* first: one is found by the other */
	ssize_t (*show)(struct kobject *kobj, struct kobj_attribute *attr, char *buf);
	ssize_t (*store)(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			 size_t count);
};

struct attribute_group {
	struct attribute **attrs;
};

#define __ATTR_RW_MODE(_name, _mode) { { #_name }, _name##_show, _name##_store }

int sysfs_create_group(struct kobject *kobj, const struct attribute_group *group);
void sysfs_remove_group(struct kobject *kobj, const struct attribute_group *group);
int sysfs_emit(char *buf, const char *format, ...);
bool sysfs_streq(const char *a, const char *b);
int __sysfs_match_string(const char *const *array, size_t n, const char *s);
int scnprintf(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int kstrtoul(const char *s, unsigned int base, unsigned long *result);
int kstrtouint(const char *s, unsigned int base, unsigned int *result);

#define nr_cpu_ids shim_nr_cpu_ids()
struct cpumask {
	unsigned long bits[1];
};
typedef struct cpumask *cpumask_var_t;
#define cpumask_bits(mask) ((mask)->bits)
#define GFP_KERNEL 0
bool zalloc_cpumask_var(cpumask_var_t *mask, int flags);
void free_cpumask_var(cpumask_var_t mask);
int cpulist_parse(const char *text, struct cpumask *mask);

#ifdef __cplusplus
}
#endif

#endif /* SETTINGS_KERNEL_H */
