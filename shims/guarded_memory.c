// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c of builds with planted faults (shim/fault.h). What is freed is filled
 * with a pattern and held back for further grace periods, after the method of
 * rcutorture, which ages its objects instead of freeing them: a reader that came
 * too late is seen by what it wrote, or by what it did with the pattern.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": !!! " fmt

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "shim/fault.h"
#include "shim/memory.h"

#define LIVE 0x6e6d6970726f6621UL
#define HELD 0x6e6d6970726f6622UL
#define POISON 0x6b
#define EDGE 0xbb
#define EDGE_BYTES 64
#define AGES 3 /* grace periods that a block is held back */
/* Bytes. KASAN has its own way to see what comes too late: give it what was freed. */
#define HELD_LIMIT (IS_ENABLED(CONFIG_KASAN) ? 0 : 64UL << 20)

/* In front of each block; behind it are EDGE_BYTES of EDGE. */
struct block {
	unsigned long state;
	size_t bytes;
	struct list_head list; /* state HELD: of held */
	unsigned long cookie; /* state HELD: when the next grace period has passed */
	unsigned int age;
} __aligned(64);

static DEFINE_MUTEX(lock);
static LIST_HEAD(held); /* oldest first; lock */
static size_t held_bytes; /* lock */
static size_t live_blocks; /* lock */

static uint fail_alloc; /* lock */
module_param(fail_alloc, uint, 0644);
MODULE_PARM_DESC(fail_alloc, "The n-th allocation from now on fails (default 0: none)");

static bool fails(void)
{
	bool last;

	mutex_lock(&lock);
	last = fail_alloc && --fail_alloc == 0;
	mutex_unlock(&lock);
	return last;
}

static u8 *edge(struct block *block)
{
	return (u8 *)(block + 1) + block->bytes;
}

void *shim_alloc(shim_size bytes, unsigned int cpu)
{
	const size_t whole = sizeof(struct block) + bytes + EDGE_BYTES;
	const int node = cpu_to_node(cpu);
	struct block *block;

	if (!bytes || fails())
		return NULL;
	if (whole > PAGE_SIZE)
		block = vzalloc_node(whole, node);
	else
		block = kzalloc_node(whole, GFP_KERNEL | __GFP_NOWARN, node);
	if (!block)
		return NULL;
	block->state = LIVE;
	block->bytes = bytes;
	memset(edge(block), EDGE, EDGE_BYTES);
	mutex_lock(&lock);
	live_blocks++;
	mutex_unlock(&lock);
	return block + 1;
}

/* Holding the lock. */
static void release(struct block *block)
{
	const void *at = memchr_inv(block + 1, POISON, block->bytes);

	if (at)
		pr_alert("memory was written after it was freed, at byte %zu of %zu\n",
			 (size_t)(at - (void *)(block + 1)), block->bytes);
	list_del(&block->list);
	held_bytes -= block->bytes;
	kvfree(block);
}

/* Holding the lock: what a grace period more has gone by for. */
static void age_held(void)
{
	struct block *block, *next;

	list_for_each_entry_safe(block, next, &held, list) {
		if (!poll_state_synchronize_rcu(block->cookie))
			break;
		if (++block->age == AGES) {
			release(block);
			continue;
		}
		block->cookie = start_poll_synchronize_rcu();
		list_move_tail(&block->list, &held);
	}
}

void shim_free(void *memory)
{
	struct block *block = memory ? (struct block *)memory - 1 : NULL;

	if (!block)
		return;
	mutex_lock(&lock);
	if (block->state != LIVE) {
		pr_alert("memory was freed twice\n");
		goto out;
	}
	if (memchr_inv(edge(block), EDGE, EDGE_BYTES))
		pr_alert("memory was written beyond its end, %zu bytes\n", block->bytes);
	memset(memory, POISON, block->bytes);
	block->state = HELD;
	block->cookie = start_poll_synchronize_rcu();
	list_add_tail(&block->list, &held);
	held_bytes += block->bytes;
	live_blocks--;
	age_held();
	while (held_bytes > HELD_LIMIT && !list_empty(&held))
		release(list_first_entry(&held, struct block, list));
out:
	mutex_unlock(&lock);
}

void shim_fault_free_held(void)
{
	struct block *block, *next;

	synchronize_rcu();
	mutex_lock(&lock);
	list_for_each_entry_safe(block, next, &held, list)
		release(block);
	if (live_blocks)
		pr_alert("%zu blocks of memory were never freed\n", live_blocks);
	mutex_unlock(&lock);
}
