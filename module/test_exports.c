// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the KUnit suites (kunit_tests/) call besides nmiprof.h. Linked into builds with
 * tests for a kernel with KUnit, and into no other.
 */
#include <linux/export.h>

#include "nmiprof_core.h"
#include "shim/clock.h"
#include "shim/context.h"
#include "shim/cpu.h"
#include "shim/fault.h"
#include "shim/log.h"
#include "shim/memory.h"
#include "shim/nmi.h"
#include "shim/rcu.h"
#include "check.h"

/* lint: EXPORT_SYMBOL: C++ has no such macro, and only builds with tests export them */
EXPORT_SYMBOL_GPL(nmiprof_core_configure);
EXPORT_SYMBOL_GPL(nmiprof_core_disable);
EXPORT_SYMBOL_GPL(nmiprof_core_discarded);
EXPORT_SYMBOL_GPL(nmiprof_core_enable);
EXPORT_SYMBOL_GPL(nmiprof_core_enabled);
EXPORT_SYMBOL_GPL(nmiprof_core_handler_name);
EXPORT_SYMBOL_GPL(nmiprof_core_handler_stats);
EXPORT_SYMBOL_GPL(nmiprof_core_ledger);
EXPORT_SYMBOL_GPL(nmiprof_core_max_handlers);
EXPORT_SYMBOL_GPL(nmiprof_core_report);
EXPORT_SYMBOL_GPL(nmiprof_core_report_free);
EXPORT_SYMBOL_GPL(nmiprof_core_report_info);
EXPORT_SYMBOL_GPL(nmiprof_core_report_row);
EXPORT_SYMBOL_GPL(nmiprof_core_request);
EXPORT_SYMBOL_GPL(nmiprof_core_resume);
EXPORT_SYMBOL_GPL(nmiprof_core_settings);
EXPORT_SYMBOL_GPL(nmiprof_core_suspend);
EXPORT_SYMBOL_GPL(nmiprof_core_term_name);
EXPORT_SYMBOL_GPL(nmiprof_core_terms);

/* lint: EXPORT_SYMBOL: only builds with tests export them */
EXPORT_SYMBOL_GPL(shim_alloc);
EXPORT_SYMBOL_GPL(shim_cpus_lock);
EXPORT_SYMBOL_GPL(shim_cpus_unlock);
EXPORT_SYMBOL_GPL(shim_cycles_per_ms);
EXPORT_SYMBOL_GPL(shim_free);
EXPORT_SYMBOL_GPL(shim_nmi_send);
EXPORT_SYMBOL_GPL(shim_now_ns);
EXPORT_SYMBOL_GPL(shim_rcu_assign_pointer);
EXPORT_SYMBOL_GPL(shim_synchronize_rcu);
EXPORT_SYMBOL_GPL(shim_update_lock);
EXPORT_SYMBOL_GPL(shim_update_unlock);
EXPORT_SYMBOL_GPL(shim_warn_leaked);

#ifdef NMIPROF_DEBUG
/* lint: EXPORT_SYMBOL: only builds with tests export them */
EXPORT_SYMBOL_GPL(shim_assert_in_irq);
EXPORT_SYMBOL_GPL(shim_assert_in_nmi);
EXPORT_SYMBOL_GPL(shim_assert_may_sleep);
EXPORT_SYMBOL_GPL(shim_context_wrong);
#endif

#ifdef NMIPROF_FAULTS
/* lint: EXPORT_SYMBOL: only builds with tests export them */
EXPORT_SYMBOL_GPL(shim_fault_gap);
EXPORT_SYMBOL_GPL(shim_fault_pause);
#endif
