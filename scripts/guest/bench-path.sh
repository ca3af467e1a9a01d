#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: bench-path.sh PERIOD_NS. What a sample costs, all told and in
# parts. Prints NAME RUNS MIN MEDIAN MAX of single calls, and loop_NAME INSTRUCTIONS NS of
# a loop that is sampled every PERIOD_NS; each loop twice.
set -eu

period=$1
meter=/sys/kernel/debug/nmiprof_cost
settings=/sys/kernel/nmiprof

calls() {
	echo "$1 $(cat $meter/"$2")"
}
loop() {
	local _
	for _ in 1 2; do
		echo "loop_$1 $(cat $meter/loop)"
	done
}
# A session whose buffer holds all, so that perf does not run meanwhile.
recorded() {
	perf record -q -m 8M -o /tmp/perf.data -C 0 "${@:3}" -- cat "$meter/$2" | sed "s/^/$1 /"
}
loop_recorded() {
	local _
	for _ in 1 2; do
		recorded "loop_$1" loop "${@:2}"
	done
	# Samples that it took: of the loop, and of what comes before and after it.
	echo "samples_$1 $(perf script -i /tmp/perf.data -F event 2>/dev/null | grep -c . || :)"
}

echo "release $(uname -r)"
echo 0 >/proc/sys/kernel/perf_cpu_time_max_percent
insmod nmiprof.ko
echo 0 >$settings/perf_budget_percent
insmod nmiprof_cost.ko
echo 1 >$settings/rate_hz # so that no timer comes between
calls exception exception
calls foreign foreign
echo 1 >$settings/enable
calls profile nmiprof
echo 0 >$settings/enable
recorded nmi_timer nmiprof -e nmi_timer// -c 1000000000
recorded nmi_timer_g nmiprof -g -e nmi_timer// -c 1000000000
recorded writer perf -e nmi_cost//
recorded writer_g perf -g -e nmi_cost//

loop off
echo "$period" >$meter/timer
loop timer
echo 0 >$meter/timer
echo $((1000000000 / period)) >$settings/rate_hz
echo 1 >$settings/enable
loop profile
echo 0 >$settings/enable
loop_recorded cpu_clock -e cpu-clock -c "$period"
loop_recorded cpu_clock_g -g -e cpu-clock -c "$period"
loop_recorded nmi_timer -e nmi_timer// -c "$period"
loop_recorded nmi_timer_g -g -e nmi_timer// -c "$period"
echo 1 >$settings/enable
loop_recorded tracepoint -e nmiprof:nmi_sample -c 1
echo 0 >$settings/enable
loop off
