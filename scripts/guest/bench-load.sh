#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual machine: from the start of insmod to the first sample, and how long
# unloading takes while sampling. Prints NAME MICROSECONDS, each five times: first;
# stripped, the same without debug information; process, insmod doing nothing; kernel,
# from the system call that loads the module to the first sample; unload.
set -eu

samples=/sys/kernel/nmiprof/stats/samples

# Until a sample is seen once insmod has returned: there may have been one before.
first() {
	local start=${EPOCHREALTIME/./} n=0
	insmod "$2" enable=1
	until read -r n <$samples && ((n > 0)); do :; done
	echo "$1 $((${EPOCHREALTIME/./} - start))"
	rmmod nmiprof
}

echo "release $(uname -r)"
strip -g -o stripped.ko nmiprof.ko
echo "bytes $(stat -c %s nmiprof.ko) $(stat -c %s stripped.ko)"
for _ in 1 2 3 4 5; do
	first first nmiprof.ko
	first stripped stripped.ko
	start=${EPOCHREALTIME/./}
	insmod --version >/dev/null
	echo "process $((${EPOCHREALTIME/./} - start))"
done
python3 - <<'END'
import ctypes
import os
import subprocess
import time

FINIT_MODULE = 313
libc = ctypes.CDLL(None)
for _ in range(5):
    file = os.open("nmiprof.ko", os.O_RDONLY)
    start = time.monotonic()
    if libc.syscall(FINIT_MODULE, file, b"enable=1", 0):
        raise SystemExit("finit_module() failed")
    while open("/sys/kernel/nmiprof/stats/samples").read() == "0\n":
        pass
    print("kernel", int((time.monotonic() - start) * 1e6))
    os.close(file)
    subprocess.run(["rmmod", "nmiprof"], check=True)
END
for _ in 1 2 3 4 5; do
	insmod nmiprof.ko enable=1 rate_hz=10000
	sleep 1
	start=${EPOCHREALTIME/./}
	rmmod nmiprof
	echo "unload $((${EPOCHREALTIME/./} - start))"
done
