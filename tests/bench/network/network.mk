# The benchmark of whole networks.

BENCH_BIN += $(BUILD)/bench/products

$(BUILD)/bench/products: $(BUILD)/obj/tests/bench/network/products.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(BLAS_LIBS)
