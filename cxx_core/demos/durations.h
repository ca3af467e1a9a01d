/* SPDX-License-Identifier: GPL-2.0-only */
/* How long something took, for module/demos/; kept by durations.hpp. */
#ifndef DEMOS_DURATIONS_H
#define DEMOS_DURATIONS_H

#include "shim/types.h"

#define DEMO_BUCKETS 32

struct demo_durations {
	shim_u64 count, mean_ns, longest_ns;
	shim_u64 bucket[DEMO_BUCKETS]; /* [i]: from 2^i us on; the first also below */
};

#endif /* DEMOS_DURATIONS_H */
