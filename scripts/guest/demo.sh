#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The guest's part of scripts/demo: a workload, sampled by nmiprof and, in the same
# seconds, by perf's cpu-clock. Leaves both tables in /tmp/demo.
set -eu
seconds=${1:-10}
cd /nmiprof
out=/tmp/demo
mkdir -p $out
params=/sys/module/nmiprof_load/parameters

insmod nmiprof.ko
# Two of the four CPUs do 70 % of their work with interrupts off, 2 ms at a time.
insmod nmiprof_load.ko cpus=2-3 percent=70 section_us=2000

# File system, compression, sockets.
while :; do tar -C /usr/share -cf - . 2>/dev/null | tar -C /tmp -xf - 2>/dev/null; rm -rf /tmp/share; done &
while :; do head -c 4M /usr/bin/bash | gzip -c >/tmp/out.gz; done &
socat TCP-LISTEN:7777,fork,reuseaddr,bind=127.0.0.1 OPEN:/dev/null &
while :; do head -c 32M /dev/zero | socat -u - TCP:127.0.0.1:7777 2>/dev/null || sleep 0.1; done &
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
sleep 0.5

before=$(cat $params/turns_off) before_on=$(cat $params/turns_on)
perf record -q -e cpu-clock -F 997 -a -o $out/perf.data -- sleep "$seconds" 2>/dev/null &
perf_pid=$!
scripts/nmiprof record -F 997 -d "$seconds" -o $out/nmiprof.data
off=$(($(cat $params/turns_off) - before)) on=$(($(cat $params/turns_on) - before_on))
wait $perf_pid

echo "truth: nmiprof_load did $((100 * off / (off + on))) % of its work with interrupts off (turns of one loop)" >$out/truth
scripts/nmiprof report -i $out/nmiprof.data -n 15 >$out/nmiprof.txt
perf report -i $out/perf.data --stdio --sort symbol 2>/dev/null |
	grep -E '^ +[0-9]' | head -15 | sed 's/ *- *- *$//' >$out/perf.txt || true
perf script -i $out/perf.data -F ip,sym 2>/dev/null | grep -c nmiprof_load_irqs_off >$out/perf-seen || true
