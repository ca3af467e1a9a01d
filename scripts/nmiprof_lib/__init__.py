# SPDX-License-Identifier: GPL-2.0-only
"""The user-space side of nmiprof; see nmiprof(1).

kernel     files of the module in sysfs and debugfs, and what their errors mean
ledger     the module's ledger: table, difference, equations
profile    a dump of samples, and several merged
symbols    names for addresses
functions  samples of bins turned into samples of functions
datafile   the file that record writes and report reads
sampling   switching the module on, and back to what it was
stacks     call chains, of perf script's text or folded
output     tables, JSON and folded stacks
record, report, top, status, flamegraph, irqsoff    the verbs
cli        the command line
"""

VERSION = "0.1.0"
