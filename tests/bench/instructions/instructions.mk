# Counts of instructions of the codec and of the request path, against a committed baseline.

.PHONY: instructions instructions-baseline
## instructions  instructions a number and a request, held to the baseline of this compiler
instructions: packages-instructions $(BUILD)/bench/instructions server
	@$(PYTHON) tests/bench/instructions/instructions.py $(BUILD)
## instructions-baseline  takes the baseline of this compiler anew
instructions-baseline: packages-instructions $(BUILD)/bench/instructions server
	@$(PYTHON) tests/bench/instructions/instructions.py $(BUILD) --update

$(BUILD)/bench/instructions: $(BUILD)/obj/tests/bench/instructions/instructions.o $(LIBGRADIENT)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
