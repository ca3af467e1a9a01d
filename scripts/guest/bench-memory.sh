#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: what the buffers take with the defaults, and that asking for
# too much changes nothing. Prints NAME VALUE.
set -eu

settings=/sys/kernel/nmiprof
stats=$settings/stats

# KiB: MemAvailable, and free pages that CPUs hold on to, which it leaves out.
available() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 0.5
	awk '/^MemAvailable/ { sum += $2 } $1 == "count:" { sum += $2 * 4 } END { print sum }' \
		/proc/meminfo /proc/zoneinfo
}

echo "release $(uname -r)"
insmod nmiprof.ko
echo "cpus $(nproc)"
before=$(available)
echo 1 >$settings/enable
after=$(available)
echo "taken_kib $((before - after))"
echo "buffer_bytes $(<$stats/buffer_bytes)"
echo "granularity $(<$stats/buffer_granularity)"
sleep 1
first=$(<$stats/samples)
error=$({ printf '4\n' >$settings/granularity; } 2>&1) && error="it was accepted"
echo "refused ${error##*: }"
echo "after_granularity $(<$stats/buffer_granularity)"
echo "after_bytes $(<$stats/buffer_bytes)"
echo "after_setting $(<$settings/granularity)"
sleep 1
echo "samples_meanwhile $(($(<$stats/samples) - first))"
echo "message $(dmesg | grep 'nmiprof: refused' | tail -n 1 | sed 's/^\[[^]]*\] //')"
