// SPDX-License-Identifier: GPL-2.0-only
/*
 * _stext and _etext are not exported, but the names of addresses are: text begins
 * where names begin, on a boundary of 2 MiB, and ends with _etext, the last name
 * before such a boundary.
 */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "shim/text.h"

#define MAX_TEXT SZ_128M

/* The address of the symbol that @address lies in, its name in @name; 0: none. */
static unsigned long symbol_of(unsigned long address, char name[KSYM_SYMBOL_LEN])
{
	unsigned long offset;
	char *plus;

	sprint_symbol(name, address); /* name+0xoffset/0xsize, or 0xaddress */
	plus = strchr(name, '+');
	if (!plus || sscanf(plus, "+0x%lx/", &offset) != 1)
		return 0;
	*plus = '\0';
	return address - offset;
}

int shim_text_range(shim_u64 *start, shim_u64 *end)
{
	const unsigned long inside = (unsigned long)sprint_symbol;
	char name[KSYM_SYMBOL_LEN];
	unsigned long at, found;

	for (at = round_down(inside, SZ_2M); symbol_of(at - 1, name); at -= SZ_2M)
		if (inside - at > MAX_TEXT)
			return -ENOENT;
	*start = at;

	for (at = round_up(inside + 1, SZ_2M); at - inside < MAX_TEXT; at += SZ_2M) {
		found = symbol_of(at - 1, name);
		if (!strcmp(name, "_etext")) {
			*end = found;
			return 0;
		}
		symbol_of(at, name);
		if (!strcmp(name, "_etext") || !strcmp(name, "__start_rodata")) {
			*end = at;
			return 0;
		}
	}
	*start = 0;
	return -ENOENT;
}
