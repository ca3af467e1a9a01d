// SPDX-License-Identifier: GPL-2.0-only
// The part of <atomic> that the core uses, over the compiler's builtins, with
// only the orders that it needs. KASAN and KCSAN instrument these as they do
// the kernel's own accesses. Generic forms: clang has no others for enums.
#pragma once

#include "kstd/types.hpp"

namespace kstd {

template <class T> class atomic {
	// lint: bugprone-sizeof-expression: T may well be a pointer
	static_assert(sizeof(T) <= 8, "only what one instruction can access");

      public:
	constexpr atomic() noexcept = default;
	constexpr explicit atomic(T initial) noexcept : value_(initial)
	{
	}
	atomic(const atomic &) = delete;
	atomic &operator=(const atomic &) = delete;

	// READ_ONCE()
	T load_relaxed() const noexcept
	{
		T v;

		__atomic_load(&value_, &v, __ATOMIC_RELAXED);
		return v;
	}
	// smp_load_acquire()
	T load_acquire() const noexcept
	{
		T v;

		__atomic_load(&value_, &v, __ATOMIC_ACQUIRE);
		return v;
	}
	// WRITE_ONCE()
	void store_relaxed(T v) noexcept
	{
		__atomic_store(&value_, &v, __ATOMIC_RELAXED);
	}
	// smp_store_release()
	void store_release(T v) noexcept
	{
		__atomic_store(&value_, &v, __ATOMIC_RELEASE);
	}
	// atomic_inc(): a locked instruction
	void add_relaxed(T v) noexcept
	{
		__atomic_fetch_add(&value_, v, __ATOMIC_RELAXED);
	}
	// atomic_fetch_add(): a full barrier
	T fetch_add(T v) noexcept
	{
		return __atomic_fetch_add(&value_, v, __ATOMIC_SEQ_CST);
	}
	// atomic_try_cmpxchg(): a full barrier when it succeeds
	bool compare_exchange(T expected, T desired) noexcept
	{
		return __atomic_compare_exchange(&value_, &expected, &desired, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	// xchg(): a full barrier
	T exchange(T v) noexcept
	{
		T was;

		__atomic_exchange(&value_, &v, &was, __ATOMIC_SEQ_CST);
		return was;
	}
	// The word itself, for the shims (rcu_assign_pointer).
	T *raw() noexcept
	{
		return &value_;
	}

      private:
	T value_{};
};

// Orders what the compiler emits for one CPU. x86-64 keeps stores in program
// order, so for a single writer this is all that a release needs.
inline void compiler_barrier() noexcept
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

// smp_rmb()
inline void read_barrier() noexcept
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

// A counter with one writer: one CPU's NMI handler, or the holder of one lock.
// Any CPU may read it. The increment is one unlocked instruction, as in the
// kernel's local_t (asm/local.h), from which the idea is.
template <class T> class local_counter {
      public:
	void inc() noexcept
	{
		if constexpr (sizeof(T) == 8)
			asm volatile("incq %0" : "+m"(value_));
		else
			asm volatile("incl %0" : "+m"(value_));
	}
	void add(T n) noexcept
	{
		if constexpr (sizeof(T) == 8)
			asm volatile("addq %1, %0" : "+m"(value_) : "er"(n));
		else
			asm volatile("addl %1, %0" : "+m"(value_) : "er"(n));
	}
	// The classic shared counter: one locked instruction, any number of writers.
	void inc_shared() noexcept
	{
		__atomic_fetch_add(&value_, 1, __ATOMIC_RELAXED);
	}
	// What that one must not be, for a planted fault; with time in between for others.
	void inc_racy() noexcept
	{
		const T was = get();

		for (int i = 0; i < 20; i++)
			__builtin_ia32_pause();
		set(was + 1);
	}
	T get() const noexcept
	{
		return __atomic_load_n(&value_, __ATOMIC_RELAXED);
	}
	void set(T v) noexcept
	{
		__atomic_store_n(&value_, v, __ATOMIC_RELAXED);
	}

      private:
	T value_{};
};

// A sequence with one writer: odd while the writer is inside. Readers that see
// the same even number before and after saw one state (kernel: seqcount_t).
class sequence {
      public:
	void write_begin() noexcept
	{
		count_.inc();
		compiler_barrier();
	}
	void write_end() noexcept
	{
		compiler_barrier();
		count_.inc();
	}
	uint64_t read_begin() const noexcept
	{
		const uint64_t seen = count_.get();

		read_barrier();
		return seen;
	}
	bool changed_since(uint64_t seen) const noexcept
	{
		read_barrier();
		return (seen & 1) || count_.get() != seen;
	}
	// The writer is inside.
	bool entered() const noexcept
	{
		return count_.get() & 1;
	}

      private:
	local_counter<uint64_t> count_;
};

} // namespace kstd
