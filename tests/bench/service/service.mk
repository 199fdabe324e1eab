# The benchmarks. Read last of the fragments (they are read in alphabetical order), so that
# BENCH_BIN is complete here.

.PHONY: bench
## bench       codec, kernels and service measured against their peers (BENCH_FORMAT, BENCH_SECONDS)
bench: server $(BENCH_BIN)
	@$(PYTHON) tests/bench/bench.py $(BUILD)
