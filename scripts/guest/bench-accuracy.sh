#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: bench-accuracy.sh RATE CPU_CLOCK_RATE SECONDS ROUNDS. nmi_timer and
# cpu-clock in one session on CPU 1, whose work holds interrupts off for a known share in
# sections of a known length; in each round all of these, in an order of chance. Leaves in
# out/PERCENT-SECTION_US/ROUND/: perf.data, kallsyms, truth.
set -eu

rate=$1 cpu_clock_rate=$2 seconds=$3 rounds=$4
truth=/sys/module/nmiprof_load/parameters

turns() {
	echo "$(<$truth/turns_off) $(<$truth/turns_on)"
}

measure() {
	local percent=$1 section=$2 into=out/$1-$2/$3

	mkdir -p "$into"
	insmod nmiprof_load.ko cpus=1 percent="$percent" section_us="$section"
	cat /proc/kallsyms >"$into/kallsyms"
	turns >"$into/truth"
	perf record -q -e "nmi_timer/freq=$rate/" -e "cpu-clock/freq=$cpu_clock_rate/" -C 1 \
		-o "$into/perf.data" sleep "$seconds"
	turns >>"$into/truth"
	rmmod nmiprof_load
}

mkdir out
uname -r >out/release
# Neither perf nor nmiprof is to slow itself down.
echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent
insmod nmiprof.ko
echo 0 >/sys/kernel/nmiprof/perf_budget_percent
for ((round = 1; round <= rounds; round++)); do
	while read -r percent section; do
		measure "$percent" "$section" $round </dev/null
	done < <(printf '%s\n' {1,5,20,50}' '{20,1000,20000} | shuf)
done
