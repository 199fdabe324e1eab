# The fuzzers: libFuzzer with both sanitizers, in a tree of their own, built by clang.

.PHONY: fuzz fuzz-targets
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
fuzz-targets: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o \
		$(call objects,$(wildcard tests/support/wire_*.c)) $(LIBSERVER) $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(SERVER_LIBS)

## fuzz        all that strangers write: bodies, codings, heads, options … (FUZZ_SECONDS, FUZZ_ONLY)
FUZZ_SECONDS ?= 15
FUZZ_ONLY ?=
fuzz: packages-fuzz
	@$(MAKE_ALL) fuzz-targets BUILD=build/fuzz CC=clang CI= WARNINGS=-w \
		SANITIZE=fuzzer-no-link,address,undefined
	@$(PYTHON) tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --only '$(FUZZ_ONLY)' build/fuzz
