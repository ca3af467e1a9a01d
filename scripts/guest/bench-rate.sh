#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: NMIs that CPU 1 takes while CPU 0 does nothing but send.
# Prints, three times, window MICROSECONDS HANDLED; then CPU 1's ledger.
set -eu

ledger() {
	awk -v cpu="$1" 'NR == 1 || $1 == cpu' /sys/kernel/debug/nmiprof/ledger
}
handled() {
	ledger 1 | awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "handled") at = i }
		NR == 2 { print $at }'
}

echo "release $(uname -r)"
insmod nmiprof.ko enable=1
insmod nmiprof_torture.ko senders=0 targets=1 nreaders=0 nwriters=0 nfakewriters=0 \
	irqreader=0 stutter=0 stat_interval=0
sleep 1
for _ in 1 2 3; do
	before=$(handled) start=${EPOCHREALTIME/./}
	sleep 5
	after=$(handled) end=${EPOCHREALTIME/./}
	echo "window $((end - start)) $((after - before))"
done
rmmod nmiprof_torture
echo 0 >/sys/kernel/nmiprof/enable
ledger 1 | sed 's/^/ledger /'
echo "unknown $(dmesg | grep -c Uhhuh || :)"
