# SPDX-License-Identifier: GPL-2.0-only
"""Random mixes of perf sessions while the profile runs and CPUs come and go.

ROUNDS=N in the environment: so many (20); SEED=N: the same mixes again.
"""

import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from nmiprof_guest import (
    NR_CPUS, hold_switch_hooks, imbalances, ledger, load, online, unload, wait_for, write)

ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
EVENTS = ("nmi_timer//", "nmi_timer//u", "nmi_timer//k", "nmi_timer/irqs-off/", "nmi_timer//I",
          "{nmi_timer//,cpu-clock}", "{nmi_timer/tick/,nmi_timer/irqs-off/}", "nmiprof:nmi_sample",
          "nmi_timer/freq=100/")


class Mixes(unittest.TestCase):
    def session(self, pick, scratch, number):
        verb = pick.choice(("record", "record", "record", "stat"))
        command = ["perf", verb]
        for _ in range(pick.choice((1, 1, 2))):
            command += ["-e", pick.choice(EVENTS)]
        whole = pick.choice(("-a", "-C", "-p", "command"))
        command += {"-a": ["-a"], "-C": ["-C", str(pick.randrange(NR_CPUS))],
                    "-p": ["-p", str(os.getpid())], "command": []}[whole]
        if verb == "record":
            command += ["-o", f"{scratch}/data.{number}"]
            command += pick.choice((["-F", str(pick.choice((1, 49, 997, 4999)))], ["-c", "1000000"], []))
            command += pick.choice(([], ["-g"], ["--no-inherit"]))
        command += ["--", "sh", "-c", f"sleep {pick.random():.2f}"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def test_random_mixes(self):
        print(f"# SEED={SEED} ROUNDS={ROUNDS}", flush=True)
        pick = random.Random(SEED)
        load("nmiprof", "enable=1", "rate_hz=499")
        self.addCleanup(unload)
        self.addCleanup(hold_switch_hooks())
        with tempfile.TemporaryDirectory() as scratch:
            for round_ in range(ROUNDS):
                sessions = [self.session(pick, scratch, n) for n in range(pick.choice((1, 2, 3)))]
                if pick.random() < 0.4 and NR_CPUS > 1:
                    cpu = pick.randrange(1, NR_CPUS)
                    online(cpu, False)
                    time.sleep(pick.random() * 0.2)
                    online(cpu, True)
                if pick.random() < 0.2:
                    self.assertEqual(write("enable", 0), 0)
                    self.assertEqual(write("rate_hz", pick.choice((97, 499, 2003))), 0)
                    self.assertEqual(write("enable", 1), 0)
                for session in sessions:
                    end = pick.choice((None, None, None, signal.SIGINT, signal.SIGKILL))
                    if end:
                        time.sleep(pick.random() * 0.5)
                        session.send_signal(end)
                    session.wait()
                self.assertEqual(imbalances(ledger()), [], f"round {round_}")
                if round_ % 20 == 19:
                    total = ledger()["total"]
                    print(f"# {round_ + 1} rounds, {total['handled']} NMIs, "
                          f"{total['perf_delivered']} samples for perf", flush=True)
        subprocess.run(["pkill", "sleep"])
        self.assertTrue(wait_for(lambda: Path("/sys/module/nmiprof/refcnt").read_text() == "0\n"))
        self.assertGreater(ledger()["total"]["perf_delivered"], ROUNDS)


if __name__ == "__main__":
    unittest.main()
