# SPDX-License-Identifier: GPL-2.0-only
"""The file that record writes and report reads. Its format is in nmiprof(1)."""

import errno
import json
import math
import os
import stat

from .errors import Failure
from .kernel import describe
from .ledger import Ledger, equations
from .profile import Profile
from .symbols import RangeTable

FORMAT = "nmiprof data"
VERSION = 1


class Recording:
    """What a data file holds."""

    def __init__(self, facts, settings, ledger, profile, symbols):
        self.facts = facts          # start, end, duration, kernel, command, ...
        self.settings = settings
        self.ledger = ledger        # the difference, end less start
        self.profile = profile
        self.symbols = symbols


class Writer:
    """Writes a data file in one step: it is there whole, or the old one still is.

    The temporary file is made at once, so that a place that cannot be written
    to is found before the recording and not after it.
    """

    def __init__(self, name):
        self.name = name
        self.target = os.path.realpath(name)
        self.temporary = f"{self.target}.{os.getpid()}.tmp"
        try:
            if os.path.lexists(self.target) and not stat.S_ISREG(os.stat(self.target).st_mode):
                raise Failure(f"{name}: not a regular file")
            # Addresses of the kernel are nobody else's business: mode 0600.
            self.fd = os.open(self.temporary,
                              os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Failure(f"cannot create {name}: {describe(error)}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.fd is not None:
            os.close(self.fd)
            os.unlink(self.temporary)

    def write(self, recording):
        data = memoryview(serialise(recording).encode())
        try:
            while data:
                data = data[os.write(self.fd, data):]
            os.fsync(self.fd)
            os.replace(self.temporary, self.target)
        except OSError as error:
            raise Failure(f"cannot write {self.name}: {describe(error)}") from None
        os.close(self.fd)
        self.fd = None


def serialise(recording):
    """JSON with one line per key and per entry of a list, to be read with grep and diff."""
    profile = recording.profile

    def ranges(table):
        return [[f"{address:016x}", size, count, off]
                for (address, size), (count, off) in sorted(table.items())]
    document = {
        "format": FORMAT,
        "version": VERSION,
        **recording.facts,
        "settings": recording.settings,
        "text": [f"{address:016x}" for address in profile.text],
        "granularity": profile.granularity,
        "outside_granularity": profile.outside_granularity,
        "samples": profile.samples,
        "user": profile.user,
        "idle": profile.idle,
        "out_of_range": profile.out_of_range,
        "other": profile.other,
        "ledger": recording.ledger.as_dict(),
        "bins": ranges(profile.bins),
        "outside": ranges(profile.outside),
        "symbols": [[f"{start:016x}", f"{end:016x}", name, module]
                    for start, end, name, module in recording.symbols.entries],
    }
    lines = []
    for key, value in document.items():
        if key in ("bins", "outside", "symbols") and value:
            text = "[\n  " + ",\n  ".join(json.dumps(entry) for entry in value) + "\n ]"
        else:
            text = json.dumps(value)
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


_NOT_FACTS = ("format", "version", "settings", "text", "granularity", "outside_granularity",
              "samples", "user", "idle", "out_of_range", "other", "ledger", "bins", "outside",
              "symbols")


def load(name):
    try:
        with open(name, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        hint = ": run `nmiprof record` first, or name it with -i" if error.errno == errno.ENOENT else ""
        raise Failure(f"cannot read {name}: {describe(error)}{hint}") from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"{name} is not an nmiprof data file, or is damaged: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Failure(f"{name} is not an nmiprof data file")
    version = document.get("version")
    if not isinstance(version, int) or version < 1:
        raise Failure(f"{name} is damaged: version {version!r:.40}")
    if version > VERSION:
        raise Failure(f"{name} has data format {version!r:.40}, newer than {VERSION}, the newest "
                      "that this nmiprof reads")
    try:
        return _interpret(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Failure(f"{name} is damaged: {type(error).__name__}: {str(error)[:200]}") from None
    except Failure as error:
        raise Failure(f"{name} is damaged: {error}") from None


def _interpret(document):
    profile = Profile()
    start, end = document["text"]
    profile.text = int(start, 16), int(end, 16)
    for key in ("granularity", "outside_granularity", "user", "idle", "out_of_range"):
        setattr(profile, key, _count(document[key]))
    profile.other = document["other"]
    for key in ("bins", "outside"):
        table = getattr(profile, key)
        for address, size, count, off in document[key]:
            table[int(address, 16), _count(size)] = [_count(count), _count(off)]
    if profile.samples != document["samples"]:
        raise Failure(f"it says {document['samples']!r:.40} samples and holds {profile.samples}")
    ledger = Ledger(_row(document["ledger"]["total"]),
                    {cpu: _row(row) for cpu, row in document["ledger"]["cpus"].items()})
    equations(ledger.total)         # all terms are there
    symbols = RangeTable([(int(start, 16), int(end, 16), str(name), str(module))
                          for start, end, name, module in document["symbols"]])
    settings = {name: document["settings"][name]
                for name in ("rate_hz", "cpus", "granularity", "layout")}
    facts = {key: value for key, value in document.items() if key not in _NOT_FACTS}
    for key, good in (("duration", _is_duration), ("start", _is_text), ("end", _is_text),
                      ("warnings", _is_texts), ("kernel", lambda value: isinstance(value, dict))):
        if not good(facts[key]):
            raise Failure(f"'{key}' is {facts[key]!r:.40}")
    if not (facts.get("command") is None or _is_texts(facts["command"])):
        raise Failure(f"'command' is {facts['command']!r:.40}")
    return Recording(facts, settings, ledger, profile, symbols)


# The module counts in 64 bits; dumps of a recording are added up.
_MOST = 2 ** 80


def _whole(value):
    if type(value) is not int or abs(value) > _MOST:
        raise ValueError(f"{value!r:.40} is not a whole number")
    return value


def _count(value):
    if _whole(value) < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _row(row):
    """A row of the ledger: differences, which are negative when the module was reloaded."""
    return {name: _whole(value) for name, value in row.items()}


def _is_text(value):
    return isinstance(value, str)


def _is_texts(value):
    return isinstance(value, list) and all(map(_is_text, value))


def _is_duration(value):
    return type(value) in (int, float) and 0 <= value <= _MOST and math.isfinite(value)
