# SPDX-License-Identifier: GPL-2.0-only
# nmiprof. `make help` lists what there is.

# What to build against: KDIR=DIR, a kernel's build tree; or KERNEL=NAME, a stock
# Debian kernel as scripts/kernel names it (headers are fetched); else the running one.
ifdef KERNEL
KDIR := $(shell scripts/kernel kdir $(KERNEL))
tag := $(KERNEL)
else
KDIR ?= /lib/modules/$(shell uname -r)/build
tag = $(notdir $(patsubst %/build,%,$(KDIR)))
endif

# Variants for tests: FAULTS=1 (planted faults, shim/fault.h), DEBUG=1 (context checks).
out = build/$(tag)$(if $(FAULTS),-faults)$(if $(DEBUG),-debug)
sources := Kbuild module cxx_core shims kunit_tests scripts

STOCK := 6.1-amd64 6.1-cloud 6.1-rt 6.12-amd64 6.12-cloud 6.12-rt

.PHONY: all modules stock setup demo demo-rcu test host-test test-all bench torture lint clean help

all: modules
	@echo "built $(out)/nmiprof.ko"

# Kbuild puts objects beside sources: a tree of links for each kernel keeps the
# builds apart.
modules:
	@test -n "$(KDIR)" && test -e "$(KDIR)/Makefile" || { \
		echo "nmiprof: no kernel build tree at '$(KDIR)'." >&2; \
		echo "Install linux-headers-$$(uname -r), or give KDIR=DIR, or KERNEL= one of: $(STOCK)" >&2; \
		exit 1; }
	@mkdir -p $(out)
	@find $(out) -xtype l -delete
	@cp -rsf $(addprefix $(CURDIR)/,$(sources)) $(out)/
	@$(out)/scripts/check-core-includes $(out)/cxx_core
	@+$(MAKE) --no-print-directory -C $(KDIR) M=$(CURDIR)/$(out) NMIPROF_TESTS=$(TESTS) \
		NMIPROF_FAULTS=$(if $(FAULTS),y) NMIPROF_DEBUG=$(if $(DEBUG),y) \
		PAHOLE=$(CURDIR)/scripts/pahole-cxx modules

# Every stock kernel, with the test modules.
stock:
	+@set -e; for k in $(STOCK); do $(MAKE) --no-print-directory modules KERNEL=$$k TESTS=1; done

setup:
	@scripts/setup

demo:
	@scripts/demo

demo-rcu:
	@scripts/demo-rcu

test:
	@scripts/test

host-test:
	@scripts/setup host
	+@$(MAKE) --no-print-directory -C kunit_tests/host test

bench:
	@scripts/bench

test-all:
	@scripts/test-all

torture:
	@scripts/torture

lint:
	@scripts/lint

clean:
	rm -rf build

help:
	@echo 'make                 nmiprof.ko for the running kernel'
	@echo 'make KDIR=DIR        ... for the kernel with this build tree'
	@echo 'make KERNEL=NAME     ... for a stock Debian kernel: $(STOCK)'
	@echo 'make stock           ... for all of those, and the test modules'
	@echo 'make demo            a first profile, in a virtual machine (root)'
	@echo 'make demo-rcu        RCU beside what it replaces, in a virtual machine'
	@echo 'make test            host tests, then tests in virtual machines'
	@echo 'make host-test       host tests alone'
	@echo 'make lint            static checks: checkpatch, sparse, clang-tidy, shellcheck, ...'
	@echo 'make bench           costs and rates; writes docs/performance.md'
	@echo 'make test-all        all kernels, long torture, every planted fault; docs/testing.md'
	@echo 'make torture         10 million NMIs while everything changes'
	@echo 'make setup           install the Debian packages that all of this needs'
	@echo 'make clean           remove build/'
