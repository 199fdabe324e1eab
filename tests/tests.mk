# The targets that test, measure and lint. Included by the Makefile.

.PHONY: test suite lint bench

# The variants of the ordinary run: plain, then both sanitizer trees.
VARIANTS := plain address,undefined thread

## test        everything: unit and integration tests, plain and under the sanitizers, and lint
ifeq ($(SANITIZE),)
test: packages-test lint
	@for v in $(VARIANTS); do \
		$(MAKE) --no-print-directory suite-build SANITIZE=$$(echo $$v | sed 's/plain//') || exit 1; done
	$(PYTHON) tests/run.py build build/address-undefined build/thread
else
test: suite-build
	$(PYTHON) tests/run.py $(BUILD)
endif

.PHONY: suite-build
suite-build: all unit-tests

## lint        the law of dependencies, sizes, format, cppcheck, exported symbols
lint:
	$(PYTHON) tests/lint/lint.py
