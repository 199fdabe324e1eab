# The benchmark of the number codec. C++, because its peers are.

BENCH_BIN += $(BUILD)/bench/codec

CXX_WARNINGS := -Wall -Wextra -Wpedantic -Wshadow $(if $(CI),-Werror)

.PHONY: bench-codec
## bench-codec  numbers read and written, against simdjson, std::to_chars, libfmt, jansson and more
bench-codec: $(BUILD)/bench/codec
	$(BUILD)/bench/codec

$(BUILD)/obj/tests/bench/codec/%.o: tests/bench/codec/%.cpp
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(CPPFLAGS) -I. $(OPTIMIZE) $(CXX_WARNINGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/codec: $(BUILD)/obj/tests/bench/codec/codec.o \
		$(BUILD)/obj/tests/bench/codec/reading.o $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ -lsimdjson -lfmt -ldouble-conversion $(LIB_LIBS) -ldl
