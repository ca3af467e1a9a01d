#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: guest instructions of NMI handlers. Prints NAME RUNS MIN MEDIAN MAX.
set -eu

meter=/sys/kernel/debug/nmiprof_cost
settings=/sys/kernel/nmiprof

measure() {
	echo "$1 $(cat $meter/"$2")"
}

echo "release $(uname -r)"
insmod nmiprof.ko
insmod nmiprof_cost.ko
echo 1 >$settings/rate_hz # so that no timer comes between
measure classic classic
measure nothing nmiprof
measure foreign foreign
echo 1 >$settings/enable
measure percpu nmiprof
echo shared >$settings/layout
measure shared nmiprof
echo 0 >$settings/enable
echo "perf $(perf record -q -o /tmp/perf.data -e nmi_cost// -C 0 -- cat $meter/perf)"
echo "perf_g $(perf record -q -g -o /tmp/perf.data -e nmi_cost// -C 0 -- cat $meter/perf)"
