// SPDX-License-Identifier: GPL-2.0-only
// A mutex whose guard is evidence, as those of lock.hpp; whoever holds it may sleep, for a
// grace period for instance.
#pragma once

#include "context.hpp"
#include "shim/mutex.h"

namespace nmiprof {

// Of zeros until init(): for objects that exist before the kernel runs code of ours.
class mutex {
      public:
	void init() noexcept
	{
		shim_mutex_init(&raw_);
	}

      private:
	friend class mutex_guard;
	shim_mutex raw_ = {};
};

class mutex_guard {
      public:
	mutex_guard(const may_sleep &, mutex &lock) noexcept : lock_(lock)
	{
		shim_mutex_lock(&lock_.raw_);
	}
	~mutex_guard()
	{
		shim_mutex_unlock(&lock_.raw_);
	}
	mutex_guard(const mutex_guard &) = delete;
	mutex_guard &operator=(const mutex_guard &) = delete;

      private:
	mutex &lock_;
};

} // namespace nmiprof
