# Which lines of lib/ and server/ the tests run, in a tree of its own. Included by tests.mk.

.PHONY: coverage
ifneq ($(filter %/coverage,$(BUILD)),)
CFLAGS += --coverage -fprofile-update=prefer-atomic
LDFLAGS += --coverage
$(BUILD)/obj/tests/coverage/%.o: CPPFLAGS += -DCOUNTS_FOLDER='"$(CURDIR)/$(BUILD)/obj"'
$(BUILD)/gradientd: $(BUILD)/obj/tests/coverage/counts_door.o
$(BUILD)/gradientd: LDFLAGS += -Wl,--wrap=seccomp_load,--wrap=syscall
endif

## coverage    which lines of lib and server no test runs; at least 98 % must (COVERAGE_ONLY=word)
COVERAGE_ONLY ?=
coverage: packages-test
	@$(MAKE_ALL) suite-build BUILD=build/coverage OPTIMIZE='-O1 -g'
	@$(PYTHON) tests/coverage/coverage.py --only '$(COVERAGE_ONLY)' build/coverage
