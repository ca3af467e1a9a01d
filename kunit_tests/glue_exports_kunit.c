// SPDX-License-Identifier: GPL-2.0-only
/* glue_kunit.cpp, for the suites' modules. */
#include <linux/export.h>

#include "glue_kunit.h"

/* lint: EXPORT_SYMBOL: they are C++, where there is no such macro */
EXPORT_SYMBOL_GPL(kt_bins_new);
EXPORT_SYMBOL_GPL(kt_claim_clear);
EXPORT_SYMBOL_GPL(kt_claim_new);
EXPORT_SYMBOL_GPL(kt_claim_outstanding);
EXPORT_SYMBOL_GPL(kt_claim_pending);
EXPORT_SYMBOL_GPL(kt_claim_reset);
EXPORT_SYMBOL_GPL(kt_claim_try_set);
EXPORT_SYMBOL_GPL(kt_cpu_set_matches);
EXPORT_SYMBOL_GPL(kt_deadline_due);
EXPORT_SYMBOL_GPL(kt_deadline_end);
EXPORT_SYMBOL_GPL(kt_deadline_new);
EXPORT_SYMBOL_GPL(kt_deadline_start);
EXPORT_SYMBOL_GPL(kt_deadline_stop);
EXPORT_SYMBOL_GPL(kt_deadline_take_due);
EXPORT_SYMBOL_GPL(kt_deadline_try_begin);
EXPORT_SYMBOL_GPL(kt_enter_irq);
EXPORT_SYMBOL_GPL(kt_enter_nmi);
EXPORT_SYMBOL_GPL(kt_enter_process);
EXPORT_SYMBOL_GPL(kt_free);
EXPORT_SYMBOL_GPL(kt_live_count);
EXPORT_SYMBOL_GPL(kt_live_swap);
EXPORT_SYMBOL_GPL(kt_sequence_new);
EXPORT_SYMBOL_GPL(kt_sequence_read);
EXPORT_SYMBOL_GPL(kt_sequence_write);
EXPORT_SYMBOL_GPL(kt_slab_bin);
EXPORT_SYMBOL_GPL(kt_slab_count);
EXPORT_SYMBOL_GPL(kt_slab_new);
EXPORT_SYMBOL_GPL(kt_slab_read);
