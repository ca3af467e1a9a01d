#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: bench-accuracy.sh RATE CPU_CLOCK_RATE SECONDS. nmi_timer and
# cpu-clock in one session on CPU 1, whose work holds interrupts off for a known share in
# sections of a known length. Leaves in out/PERCENT-SECTION_US/: perf.data, kallsyms, truth.
set -eu

rate=$1 cpu_clock_rate=$2 seconds=$3
truth=/sys/module/nmiprof_load/parameters
mkdir out

turns() {
	echo "$(<$truth/turns_off) $(<$truth/turns_on)"
}

uname -r >out/release
# Neither perf nor nmiprof is to slow itself down.
echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent
insmod nmiprof.ko
echo 0 >/sys/kernel/nmiprof/perf_budget_percent
for percent in 1 5 20 50; do
	for section in 20 1000 20000; do
		into=out/$percent-$section
		mkdir $into
		insmod nmiprof_load.ko cpus=1 percent=$percent section_us=$section
		cat /proc/kallsyms >$into/kallsyms
		turns >$into/truth
		perf record -q -e "nmi_timer/freq=$rate/" -e "cpu-clock/freq=$cpu_clock_rate/" -C 1 \
			-o $into/perf.data sleep "$seconds"
		turns >>$into/truth
		rmmod nmiprof_load
	done
done
