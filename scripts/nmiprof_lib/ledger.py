# SPDX-License-Identifier: GPL-2.0-only
"""The module's ledger: a row of counters in total and for each CPU.

The names of the counters are taken from the table itself. Only the left sides
of the equations and the terms that are not named by a prefix are known here.
"""

from .errors import Failure

# left side, single terms, prefix of the named reasons that belong to the sum
EQUATIONS = (
    ("due", ("sent", "coalesced"), "skipped_"),
    ("sent", ("handled", "outstanding"), "lost_"),
    ("samples", ("binned", "user", "idle", "no_buffer", "out_of_range"), None),
    ("perf_due", ("perf_delivered", "perf_excluded", "perf_throttled"), None),
)


def group(row, prefix):
    """The counters named prefix + reason, by reason."""
    return {name[len(prefix):]: value for name, value in row.items()
            if name.startswith(prefix)}


def equations(row):
    """The equations worked out for one row: [{left, terms, left_value, values, ...}]."""
    result = []
    for left, singles, prefix in EQUATIONS:
        terms = list(singles)
        if prefix:
            terms += [name for name in row if name.startswith(prefix)]
        missing = [name for name in [left, *terms] if name not in row]
        if missing:
            raise Failure(f"the ledger has no '{missing[0]}': module and tool do not fit together")
        total = sum(row[name] for name in terms)
        result.append({
            "equation": f"{left} = {' + '.join(terms)}",
            "numbers": f"{row[left]} = {' + '.join(str(row[name]) for name in terms)}",
            "left": row[left],
            "right": total,
            "difference": row[left] - total,
            "holds": row[left] == total,
        })
    return result


class Ledger:
    def __init__(self, total, cpus):
        self.total = total      # {term: count}
        self.cpus = cpus        # {"0": {term: count}}

    @classmethod
    def parse(cls, text):
        lines = [line.split() for line in text.splitlines() if line.strip()]
        if not lines or lines[0][0] != "cpu":
            raise Failure("the ledger does not start with its 'cpu TERM ...' line")
        terms = lines[0][1:]
        rows = {}
        for fields in lines[1:]:
            try:
                values = [int(field) for field in fields[1:]]
            except ValueError:
                values = []
            if len(values) != len(terms):
                raise Failure(f"the ledger's line '{fields[0]}' does not have "
                              f"{len(terms)} numbers")
            rows[fields[0]] = dict(zip(terms, values))
        if "total" not in rows:
            raise Failure("the ledger has no 'total' line")
        for row in rows.values():
            equations(row)      # all terms are there
        return cls(rows.pop("total"), rows)

    def since(self, before):
        """This ledger less an earlier one; a CPU or term new since then counts from 0."""
        def less(now, then):
            return {name: value - then.get(name, 0) for name, value in now.items()}
        return Ledger(less(self.total, before.total),
                      {cpu: less(row, before.cpus.get(cpu, {}))
                       for cpu, row in self.cpus.items()})

    def checks(self):
        """Every equation, in total and for each CPU, and that the CPUs add up to the total."""
        result = [dict(cpu="total", **check) for check in equations(self.total)]
        for cpu, row in self.cpus.items():
            result += [dict(cpu=cpu, **check) for check in equations(row)]
        if self.cpus:
            for name, value in self.total.items():
                parts = sum(row.get(name, 0) for row in self.cpus.values())
                result.append({
                    "cpu": "total",
                    "equation": f"{name} = its sum over all CPUs",
                    "numbers": f"{value} = {parts}",
                    "left": value,
                    "right": parts,
                    "difference": value - parts,
                    "holds": value == parts,
                })
        return result

    def lost(self):
        return sum(group(self.total, "lost_").values())

    def skipped(self):
        return sum(group(self.total, "skipped_").values())

    def as_dict(self):
        return {"total": self.total, "cpus": self.cpus}
