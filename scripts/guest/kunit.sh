#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kunit.sh SUITE... - load the KUnit suites in the guest, one after the other; their
# results go to /results/SUITE, a line for each of them to stdout. Options for
# nmiprof.ko come in NMIPROF_OPTIONS. Used by scripts/kunit.
set -u

if [ $# -eq 0 ] || [ "$1" = --help ]; then
	sed -n '3,5s/^# //p' "$0"
	[ $# -eq 0 ] && exit 2 || exit 0
fi

# Static, thus quick to start: in an emulator with KASAN other programs take most of a second.
insmod() { busybox insmod "$@"; }
rmmod() { busybox rmmod "$@"; }

# What $suite said. In 6.1, debugfs only holds the last parameter of each test; its log
# has all of them, but no head, and numbers that go on from suite to suite.
results()
{
	case $kernel in
	6.1.*)
		printf 'KTAP version 1\n1..1\n'
		dmesg -t | sed -E "s/^(not )?ok [0-9]+ nmiprof_$suite\$/\1ok 1 nmiprof_$suite/"
		;;
	*)
		echo "$(<"/sys/kernel/debug/kunit/nmiprof_$suite/results")"
		;;
	esac
}

mkdir -p /results
read -r kernel </proc/sys/kernel/osrelease
failed=0
read -ra options <<<"${NMIPROF_OPTIONS:-}"
for suite in "$@"; do
	began=${EPOCHREALTIME/./}
	busybox dmesg -c >/dev/null
	if [ "$suite" = unload ]; then
		# It loads and unloads nmiprof itself.
		insmod unload_kunit.ko "options=${NMIPROF_OPTIONS:-}" || failed=1
	else
		[ -d /sys/module/nmiprof ] || insmod nmiprof.ko "${options[@]}" || exit 1
		[ -d /sys/module/nmiprof_kunit ] || insmod nmiprof_kunit.ko || exit 1
		insmod "${suite}_kunit.ko" || failed=1
	fi
	results >"/results/$suite" || failed=1
	rmmod "${suite}_kunit" || failed=1
	echo "$suite $(((${EPOCHREALTIME/./} - began) / 1000))"
done
if [ -d /sys/module/nmiprof_kunit ]; then
	# Nothing of them may be left that would fault, or be told of, now.
	rmmod nmiprof_kunit && rmmod nmiprof || failed=1
fi
exit $failed
