#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: bench-perf-delivery.sh RATE SECONDS SESSIONS. nmi_timer and
# cpu-clock in sessions together on two CPUs, CPU 0 busy in user space, CPU 1 with interrupts
# off for half of its work in sections of 50 ms. Leaves in out/: SESSION.data, ledgers.
set -eu

rate=$1 seconds=$2 sessions=$3
ledger=/sys/kernel/debug/nmiprof/ledger
mkdir out

uname -r >out/release
# Neither perf nor nmiprof is to slow itself down.
echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent
insmod nmiprof.ko
echo 0 >/sys/kernel/nmiprof/perf_budget_percent
insmod nmiprof_load.ko cpus=1 percent=50 section_us=50000
taskset -c 0 sh -c 'while :; do :; done' &
busy=$!
cat $ledger >out/ledger-start
for ((session = 1; session <= sessions; session++)); do
	perf record -q -e nmi_timer// -e cpu-clock -a -F "$rate" -o out/$session.data \
		sleep "$seconds"
done
cat $ledger >out/ledger-end
kill $busy
