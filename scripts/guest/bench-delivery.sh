#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: bench-delivery.sh RATE SECONDS. What becomes of the periods
# due while CPU 2 has interrupts off half of the time, and what cpu-clock sees.
# Leaves in out/: ledgers, clocks, truth, the dump, names, perf's counts.
set -eu

rate=$1 seconds=$2
dumps=/sys/kernel/debug/nmiprof
truth=/sys/module/nmiprof_load/parameters
mkdir out

# The ledger between two readings of the clock.
snapshot() {
	local early=${EPOCHREALTIME/./}
	cat $dumps/ledger >"out/ledger-$1"
	echo "$early ${EPOCHREALTIME/./} $(<$truth/turns_off) $(<$truth/turns_on)" >"out/clock-$1"
}

uname -r >out/release
# perf is not to slow itself down.
echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent
insmod nmiprof.ko rate_hz="$rate"
insmod nmiprof_load.ko cpus=2 percent=50 section_us=50000
perf record -q -e cpu-clock -a -F "$rate" -o /tmp/perf.data sleep $((seconds + 5)) &
perf=$!
sleep 2
echo 1 >/sys/kernel/nmiprof/enable
sleep 1
cat $dumps/drain >out/drain-start
snapshot start
sleep "$seconds"
snapshot end
echo 0 >/sys/kernel/nmiprof/enable
cat $dumps/drain >out/drain-end
cat /proc/kallsyms >out/kallsyms
cat /proc/modules >out/modules
wait $perf
perf report -i /tmp/perf.data -n -q --stdio --sort cpu 2>/dev/null >out/perf-cpus
perf report -i /tmp/perf.data -n -q --stdio --sort symbol -C 2 2>/dev/null >out/perf-symbols
