# SPDX-License-Identifier: GPL-2.0-only
"""The cache of kernels that scripts/kernel and scripts/test-kernel fill.

A kernel is a folder kernels/NAME with a file `info` of key=value lines: what was
made from what (version, recipe), and where in it its parts are (kdir, image,
modules). It is made beside its place and moved there when it is whole.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

SERIES = ("6.1", "6.12")
TEST_KINDS = ("kasan", "kcsan", "plain")
# Interrupts of PCI devices by ACPI: interpreting that takes KASAN ten seconds each. And
# with paging of five levels, KASAN finds fault with the kernel's own identify_cpu().
TEST_APPEND = "pci=noacpi no5lvl"
TEST_NAMES = [f"{series}-{kind}" for series in SERIES for kind in TEST_KINDS]

# KCSAN's reports on the kernel itself: of what is in a module, it says which, in brackets.
RACES_OF_OTHERS = r"BUG: KCSAN: [^\[]*$"


class Failure(Exception):
    """Something went wrong that the user has to know."""


def say(text):
    print(f"kernel: {text}", file=sys.stderr, flush=True)


def run(*command, cwd=None, env=None):
    """Run a command, show what it printed only if it fails."""
    try:
        result = subprocess.run(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is missing: run scripts/setup build") from None
    if result.returncode:
        sys.stderr.write(result.stdout)
        raise Failure(f"'{' '.join(map(str, command[:3]))} ...' failed")
    return result.stdout


def cache_root():
    if root := os.environ.get("NMIPROF_CACHE"):
        return Path(root).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "nmiprof"


def kernels_dir():
    return cache_root() / "kernels"


def info_of(name):
    """What is known of a cached kernel; empty if there is none."""
    try:
        lines = (kernels_dir() / name / "info").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines)


def write_info(tree, info):
    (tree / "info").write_text("".join(f"{key}={value}\n" for key, value in info.items()))


def remove_tree(path):
    if path.exists():
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(name):
    """One caller at a time makes the kernel (or whatever else) of this name."""
    kernels_dir().mkdir(parents=True, exist_ok=True)
    with open(kernels_dir() / f".{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: waiting for another caller")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace_kernel(name, make):
    """Let make(tree) fill a fresh folder, then put that in the place of the old one."""
    final = kernels_dir() / name
    fresh = kernels_dir() / f".{name}.new"
    stale = kernels_dir() / f".{name}.old"
    try:
        remove_tree(fresh)
        remove_tree(stale)
        make(fresh)
        if final.exists():
            final.rename(stale)
        fresh.rename(final)
    finally:
        remove_tree(fresh)
        remove_tree(stale)


# What the archive has


def _compare_versions(left, right):
    if left == right:
        return 0
    return -1 if subprocess.call(["dpkg", "--compare-versions", left, "lt", right]) == 0 else 1


version_key = functools.cmp_to_key(_compare_versions)


def apt_versions(packages):
    """{package: {versions that can be downloaded}}"""
    found = {}
    if packages:
        for line in run("apt-cache", "madison", *packages).splitlines():
            fields = [field.strip() for field in line.split("|")]
            if len(fields) == 3 and fields[2].endswith(" Packages"):
                found.setdefault(fields[0], set()).add(fields[1])
    return found


def download(packages, folder):
    """Bring packages, given as NAME=VERSION, into a folder."""
    options = ["-q", "-o", "Acquire::Retries=3"]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]
    run("apt-get", *options, "download", *packages, cwd=folder)


def with_fresh_lists(attempt):
    """Call attempt(); if it fails, once more with up-to-date package lists."""
    try:
        return attempt()
    except Failure as failure:
        # Lists that are absent or out of date look like this.
        if os.geteuid() != 0:
            raise Failure(f"{failure}; try: sudo apt-get update") from None
        say(f"{failure}; updating the package lists")
        run("apt-get", "-q", "update")
        return attempt()


# Its sources


def source_package(series):
    """(package, newest version that can be had)"""
    package = f"linux-source-{series}"
    versions = apt_versions([package]).get(package)
    if not versions:
        raise Failure(f"apt knows no {package}")
    return package, max(versions, key=version_key)


def fetch_source(series):
    """The newest source archive; (its path, its version)."""
    folder = cache_root() / "source"
    folder.mkdir(parents=True, exist_ok=True)
    package, version = source_package(series)
    archive = folder / f"{package}_{version}.tar.xz"
    if not archive.exists():
        say(f"downloading {package} {version}")
        unpacked = folder / f".{package}"
        try:
            remove_tree(unpacked)
            unpacked.mkdir()
            download([f"{package}={version}"], unpacked)
            run("dpkg-deb", "-x", *unpacked.glob("*.deb"), unpacked)
            for old in folder.glob(f"{package}_*"):
                old.unlink()
            next(unpacked.glob("usr/src/*.tar.xz")).rename(archive)
        finally:
            remove_tree(unpacked)
    return archive, version


def unpack_source(series, folder, *members):
    """Fill a fresh folder with the newest source, or members of it; its version."""
    archive, version = with_fresh_lists(lambda: fetch_source(series))
    remove_tree(folder)
    folder.mkdir(parents=True)
    run("tar", "-xf", archive, "-C", folder, "--strip-components=1",
        *(f"linux-source-{series}/{member}" for member in members))
    return version
