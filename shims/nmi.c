// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/version.h>

#include <asm/apic.h>
#include <asm/irq_regs.h>
#include <asm/nmi.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>

#include "shim/counter.h"
#include "shim/nmi.h"
#include "check.h"
#include "cpu_state.h"
#include "fault.h"
#include "nmi_handler.h"

/*
 * What was interrupted. @own: the part of preempt_count() that stands for the
 * NMI, and the timer interrupt below it, themselves.
 */
static __always_inline shim_u32 look_at(struct pt_regs *regs, unsigned int own)
{
	shim_u32 how;

	if (user_mode(regs))
		return NMIPROF_USER;
	how = regs->flags & X86_EFLAGS_IF ? 0 : NMIPROF_IRQS_OFF;
	if (is_idle_task(current)) {
		how |= NMIPROF_IDLE_TASK;
		if ((preempt_count() & (HARDIRQ_MASK | SOFTIRQ_MASK)) == own)
			how |= NMIPROF_IDLE;
	}
	return how;
}

/*
 * The handler. nmi_enter() counts as one hard interrupt. Called by the kernel, and
 * by the cost meter (kunit_tests/modules/nmiprof_cost.c).
 */
int nmiprof_nmi(unsigned int type, struct pt_regs *regs)
{
	return nmiprof_core_on_nmi(raw_cpu_ptr(nmiprof_cpu_states), regs, regs->ip,
				   look_at(regs, HARDIRQ_OFFSET));
}
EXPORT_SYMBOL_GPL(nmiprof_nmi);

void nmiprof_overflow(struct pt_regs *regs)
{
	/* Some hypervisors' PMUs call from an interrupt, which sees nothing of what is asked. */
	if (!in_nmi())
		return;
	nmiprof_core_on_overflow(raw_cpu_ptr(nmiprof_cpu_states), regs, regs->ip,
				 look_at(regs, HARDIRQ_OFFSET));
}

static int nmiprof_unknown_nmi(unsigned int type, struct pt_regs *regs)
{
	return nmiprof_core_on_unknown_nmi(raw_cpu_ptr(nmiprof_cpu_states));
}

void shim_nmi_look_below_irq(struct nmiprof_nmi *nmi)
{
	struct pt_regs *regs = get_irq_regs();

	if (!regs)
		return;
	nmi->regs = regs;
	nmi->ip = regs->ip;
	nmi->how = look_at(regs, 2 * HARDIRQ_OFFSET);
}

/* Names are unique: unregister_nmi_handler() removes the first that matches. */
#define LOCAL_NAME "nmiprof"
#define UNKNOWN_NAME "nmiprof_late"

int shim_nmi_register(void)
{
	int err = register_nmi_handler(NMI_UNKNOWN, nmiprof_unknown_nmi, 0, UNKNOWN_NAME);

	if (err)
		return err;
	err = register_nmi_handler(NMI_LOCAL, nmiprof_nmi, 0, LOCAL_NAME);
	if (err)
		unregister_nmi_handler(NMI_UNKNOWN, UNKNOWN_NAME);
	return err;
}

void shim_nmi_unregister(void)
{
	shim_check(may_sleep);
	unregister_nmi_handler(NMI_LOCAL, LOCAL_NAME);
	unregister_nmi_handler(NMI_UNKNOWN, UNKNOWN_NAME);
}

/* Both order earlier stores before the write to the interrupt command register. */
void shim_nmi_send(unsigned int cpu)
{
	shim_check(in_irq);
	if (shim_nmi_gets_lost())
		return;
/* lint: LINUX_VERSION_CODE, CONSTANT_COMPARISON: versions are told apart here */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
#else
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
#endif
}
