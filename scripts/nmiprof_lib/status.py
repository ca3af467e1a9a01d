# SPDX-License-Identifier: GPL-2.0-only
"""nmiprof status: what the module does, and whether its ledger adds up."""

import os

from .kernel import Kernel
from .output import print_json


def run(args):
    kernel = Kernel()
    if args.json and not kernel.loaded():
        print_json({"schema": "nmiprof status", "version": 1, "loaded": False, "ok": False})
        return 1
    kernel.require_loaded()
    settings = kernel.settings()
    enabled = kernel.enabled()
    # Counters that move cannot be compared unless they are read all at once,
    # which only the ledger in debugfs does, and that is for root.
    snapshot = os.geteuid() == 0
    ledger = kernel.ledger() if snapshot else kernel.ledger_from_stats()
    comparable = snapshot or not enabled
    checks = ledger.checks() if comparable else []
    ok = all(check["holds"] for check in checks)
    if args.json:
        print_json({
            "schema": "nmiprof status",
            "version": 1,
            "loaded": True,
            "module_version": kernel.module_version(),
            "enable": enabled,
            "settings": settings,
            "ledger": {"source": "ledger" if snapshot else "stats", **ledger.as_dict()},
            "checked": comparable,
            "checks": checks,
            "ok": ok if comparable else None,
        })
    else:
        _print(args, kernel, settings, enabled, ledger, checks, comparable)
    return 0 if ok else 1


def _print(args, kernel, settings, enabled, ledger, checks, comparable):
    version = kernel.module_version()
    print(f"module       loaded, {'version ' + version if version else 'version not given'}")
    print(f"enable       {'1, sampling' if enabled else '0, not sampling'}")
    for name, value in settings.items():
        print(f"{name:<12} {value}{_remark(name, value)}")
    print()
    width = max(len(name) for name in ledger.total)
    digits = max(len(str(value)) for value in ledger.total.values())
    for name, value in ledger.total.items():
        print(f"{name:<{width}}  {value:>{digits}}")
    print()
    if not comparable:
        print("not checked: the module is sampling, and only root can read all counters at once")
    for check in checks:
        if check["cpu"] == "total" and "sum over" not in check["equation"] or not check["holds"]:
            verdict = "holds" if check["holds"] else f"DOES NOT HOLD, difference {check['difference']:+d}"
            where = "total" if check["cpu"] == "total" else f"CPU {check['cpu']}"
            print(f"{where}: {check['equation']}: {check['numbers']}: {verdict}")
    if checks and all(check["holds"] for check in checks):
        print(f"every equation holds for each of {len(ledger.cpus)} CPUs, and the CPUs add up "
              "to the total")
    if args.cpu:
        print()
        for line in _cpu_table(ledger):
            print(line)


def _remark(name, value):
    return ", automatic" if (name, value) == ("granularity", "0") else ""


def _cpu_table(ledger):
    names = list(ledger.total)
    rows = [["cpu", *names], ["total", *map(str, ledger.total.values())]]
    rows += [[cpu, *(str(row.get(name, "-")) for name in names)]
             for cpu, row in ledger.cpus.items()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths))
