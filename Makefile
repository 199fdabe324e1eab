# gradientd: how everything is built, tested and installed. `make help` lists the targets.
# No recipe here is longer than a few lines: what is more lives in tests/ and deploy/.

PREFIX ?= /usr/local
# make's own defaults (cc, g++) give way, the caller's choice does not.
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON ?= /usr/bin/python3
SANITIZE ?=
comma := ,

# Each sanitizer has a tree of its own, so that variants never mix: build/, build/address-undefined/
BUILD ?= build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

PKGS := libmicrohttpd gnutls jansson libcurl openblas
VERSION := $(shell sed -n 's/^.define GRAD_VERSION "\(.*\)"/\1/p' lib/gradient.h)
REVISION ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2
CPPFLAGS := -Ilib -D_GNU_SOURCE
# Lines are all that a sanitizer's report reads, and a quarter of the compiling is spared.
OPTIMIZE := -O2 $(if $(SANITIZE),-g1,-g)
# What this compiler has for its processor. Not under a sanitizer, which looks at the same itself.
supported = $(foreach flag,$(1),$(shell echo | $(CC) -O2 -Werror $(flag) \
	-include stdlib.h -x c -c -o /dev/null - 2>/dev/null && echo '$(flag)'))
HARDEN := -fstack-protector-strong $(if $(SANITIZE),,$(call supported,-fcf-protection=full \
	-mbranch-protection=standard -fstack-clash-protection -ftrivial-auto-var-init=zero) \
	$(firstword $(call supported,-D_FORTIFY_SOURCE=3 -D_FORTIFY_SOURCE=2)))
# Arithmetic as it is written, on every processor: each product and sum rounded once, in its type
# (s390x would work float out in double). lib/core/machine.c refuses what these cannot mend.
ARITHMETIC := -ffp-contract=off $(call supported,-fexcess-precision=fast)
CFLAGS := -std=c11 $(ARITHMETIC) $(OPTIMIZE) $(HARDEN) $(WARNINGS) $(if $(CI),-Werror) -MMD -MP
LDFLAGS := -Wl,-z,relro,-z,now
# A shared library names everything it needs; the sanitizers' own calls stay open until a program.
SHARED := -shared $(if $(SANITIZE),,-Wl,-z,defs)
ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif

BLAS_LIBS = $(shell pkg-config --libs openblas)
LIB_LIBS = $(shell pkg-config --libs jansson) $(BLAS_LIBS) -lm
SERVER_PKGS := libmicrohttpd gnutls libseccomp zlib libzstd
SERVER_LIBS = $(shell pkg-config --libs $(SERVER_PKGS)) $(LIB_LIBS) -lpthread
CLIENT_LIBS = $(shell pkg-config --libs libcurl) $(LIB_LIBS) -lpthread

LIB_SRC := $(wildcard lib/*/*.c lib/codec/*/*.c)
SERVER_SRC := $(wildcard server/*.c server/*/*.c)
CLIENT_SRC := $(wildcard client/*.c)
CLI_SRC := $(wildcard client/cli/*.c)
EXAMPLE_SRC := $(wildcard client/examples/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
EXAMPLE_BIN := $(patsubst client/examples/%.c,$(BUILD)/examples/%,$(EXAMPLE_SRC))

LIBGRADIENT := $(BUILD)/libgradient.a
LIBGRADIENT_SO := $(BUILD)/libgradient.so.$(VERSION)
LIBCLIENT := $(BUILD)/libgradient-client.a
LIBCLIENT_SO := $(BUILD)/libgradient-client.so.$(VERSION)
LIBSERVER := $(BUILD)/obj/libserver.a

.PHONY: all lib server client examples unit-tests help clean
all: lib server client examples

## lib         libgradient.a and .so
lib: $(LIBGRADIENT) $(LIBGRADIENT_SO)
## server      build/gradientd
server: $(BUILD)/gradientd
## client      build/gradient and libgradient-client
client: $(BUILD)/gradient $(LIBCLIENT) $(LIBCLIENT_SO)
examples: $(EXAMPLE_BIN)
unit-tests: $(UNIT_BIN)

$(BUILD)/obj/lib/%.o $(BUILD)/obj/client/%.o: CFLAGS += -fPIC -fvisibility=hidden
# Declarations come first in their block: CONTRIBUTING.md, the dialect.
$(BUILD)/obj/lib/%.o $(BUILD)/obj/client/%.o $(BUILD)/obj/server/%.o: \
	CFLAGS += -Wdeclaration-after-statement
# Vector code of plain loops. No flag here changes a value: no trap and no errno is looked at.
# Threaded jumps split a loop that holds its argument between two ends into three, which are masks
# and blends once it is vector code.
$(BUILD)/obj/lib/kernels/%.o: CFLAGS += -O3 -fno-trapping-math -fno-math-errno \
	$(call supported,-fno-thread-jumps)
$(BUILD)/obj/server/%.o: CPPFLAGS += -Iserver -DGRADIENTD_REVISION='"$(REVISION)"'
$(BUILD)/obj/client/%.o: CPPFLAGS += -Iclient
$(BUILD)/obj/tests/%.o: CPPFLAGS += -Iserver -Iclient -Itests

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIBGRADIENT): $(call objects,$(LIB_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(LIBGRADIENT_SO): $(call objects,$(LIB_SRC))
	$(CC) $(SHARED) -Wl,-soname,libgradient.so.$(SOVERSION) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(LIBCLIENT): $(call objects,$(CLIENT_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(LIBCLIENT_SO): $(call objects,$(CLIENT_SRC)) $(LIBGRADIENT_SO)
	$(CC) $(SHARED) -Wl,-soname,libgradient-client.so.$(SOVERSION) $(LDFLAGS) -o $@ $^ $(CLIENT_LIBS)
$(LIBSERVER): $(call objects,$(filter-out server/main.c,$(SERVER_SRC)))
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/gradientd: $(call objects,server/main.c) $(LIBSERVER) $(LIBGRADIENT)
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)
$(BUILD)/gradient: $(call objects,$(CLI_SRC)) $(LIBCLIENT) $(LIBGRADIENT)
	$(CC) $(LDFLAGS) -o $@ $^ $(CLIENT_LIBS)
$(BUILD)/examples/%: $(BUILD)/obj/client/examples/%.o $(LIBCLIENT) $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

# A unit test may wrap allocations: the linker sends the project's calls through __wrap_malloc and
# friends where the test links tests/support/failing_alloc.c in; the others keep the plain ones.
ALLOC_WRAPS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free,--wrap=pthread_create
$(BUILD)/tests/unit/test_alloc_%: TEST_LDFLAGS := $(ALLOC_WRAPS)
$(BUILD)/tests/unit/test_bench_times: $(BUILD)/obj/client/cli/bench_times.o
$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(call objects,$(SUPPORT_SRC)) \
		$(LIBSERVER) $(LIBCLIENT) $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $< $(filter $(BUILD)/obj/client/cli/%,$^) \
		$(if $(findstring test_alloc_,$@),$(BUILD)/obj/tests/support/failing_alloc.o) \
		$(filter-out %/failing_alloc.o,$(call objects,$(SUPPORT_SRC))) \
		$(LIBSERVER) $(LIBCLIENT) $(LIBGRADIENT) -lcmocka \
		$(shell pkg-config --libs $(SERVER_PKGS) libcurl) $(LIB_LIBS) -lpthread

## help        this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
## clean       removes build/
clean:
	rm -rf build

.SECONDARY:
-include $(shell [ -d $(BUILD)/obj ] && find $(BUILD)/obj -name '*.d')
include tests/tests.mk
include deploy/deploy.mk
