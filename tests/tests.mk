# The targets that test, measure and lint. Included by the Makefile.

.PHONY: test test-arm64 suite-build lint docs conformance mutation long findings

# A recursive make on all processors, unless the caller chose a number of jobs.
MAKE_ALL = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# The variants of the ordinary run: plain, then both sanitizer trees.
VARIANTS := plain address,undefined thread
TREES = $(patsubst build/plain,build,$(addprefix build/,$(subst $(comma),-,$(VARIANTS))))

## test        everything: unit and integration tests, plain and under the sanitizers, and lint
ifeq ($(SANITIZE),)
test: packages-test
	@for v in $(VARIANTS); do \
		$(MAKE_ALL) suite-build SANITIZE=$$(echo $$v | sed 's/plain//') || exit 1; done
	$(PYTHON) tests/run.py --lint $(TREES)
else
test: packages-test
	@$(MAKE_ALL) suite-build
	$(PYTHON) tests/run.py $(BUILD)
endif

# Built here for arm64 against Debian's packages for it, and run by qemu.
ARM64 := $(CURDIR)/build/cache/arm64
ARM64_LIB := $(ARM64)/usr/lib/aarch64-linux-gnu
ARM64_TOOLS = CC="aarch64-linux-gnu-gcc --sysroot=$(ARM64)" AR=aarch64-linux-gnu-ar

## test-arm64  every unit test on an emulated arm64, and its daemon's answers beside this machine's
test-arm64: packages-arm64
	tests/emulated/sysroot.sh arm64 $(ARM64)
	@$(MAKE_ALL) server
	@PKG_CONFIG_LIBDIR=$(ARM64_LIB)/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(ARM64) \
		$(MAKE_ALL) suite-build BUILD=build/arm64 $(ARM64_TOOLS)
	$(PYTHON) tests/run.py build/arm64 --through \
		"$$(command -v qemu-aarch64 || command -v qemu-aarch64-static) -L $(ARM64)"

suite-build: all unit-tests fire-tools

.PHONY: test-alerts
## test-alerts the alerts of deploy/alerts, by Debian's promtool: when each fires, and when not
test-alerts:
	@$(PYTHON) tests/alerts/test_alerts.py -v

## lint        dependencies, sizes, format, cppcheck, exported symbols, tables of docs/
lint: packages-test
	@$(MAKE_ALL) lib client server
	$(PYTHON) tests/lint/lint.py

## docs        writes the tables of docs/ as gradientd --describe prints them
docs:
	@$(MAKE_ALL) server
	@$(PYTHON) tests/lint/tables.py

## conformance everything against PyTorch over HTTP, each f deeply, training (CONFORMANCE_ROUNDS)
CONFORMANCE_ROUNDS ?= 8
conformance: packages-conformance
	@$(MAKE_ALL) lib client server
	@$(PYTHON) tests/long.py --only conformance --rounds $(CONFORMANCE_ROUNDS) $(BUILD)

## mutation    breaks the library on purpose, one change at a time: the tests must see each
mutation: packages-test
	$(PYTHON) tests/mutation/mutate.py

## long        all that takes minutes: conformance, mutation, all float32, arm64 (LONG_ONLY=word)
LONG_ONLY ?=
long: packages-test packages-conformance packages-arm64
	@$(MAKE_ALL) suite-build
	@tests/proxies/fetch.sh
	@$(PYTHON) tests/long.py --only '$(LONG_ONLY)' $(BUILD)

## findings    what other libraries do, shown by running them (FINDINGS_ONLY=word, network)
FINDINGS_ONLY ?=
findings:
	@$(PYTHON) findings/run.py --only '$(FINDINGS_ONLY)'

include tests/coverage/coverage.mk
include tests/fire/fire.mk
include tests/fuzz/fuzz.mk

# The packages of the peers come first.
bench: packages-bench
-include tests/bench/*/*.mk
