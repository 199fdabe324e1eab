# The benchmarks in C of the kernels, and of a request's stages without a daemon.

BENCH_BIN += $(BUILD)/bench/kernels $(BUILD)/bench/stages

$(BUILD)/bench/kernels $(BUILD)/bench/stages: $(BUILD)/bench/%: \
		$(BUILD)/obj/tests/bench/kernels/%.o $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
