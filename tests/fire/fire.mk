# What holds the daemon under fire: the load generator and the driver that measures with it.

.PHONY: fire fire-tools
fire-tools: $(BUILD)/fire/load

$(BUILD)/fire/load: $(call objects,$(wildcard tests/fire/load*.c))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

## fire        the daemon under overload, greed, slow and gone peers (FIRE_ONLY, FIRE_SECONDS)
FIRE_ONLY ?=
FIRE_SECONDS ?= 60
fire: server fire-tools
	@$(PYTHON) tests/fire/fire.py --only '$(FIRE_ONLY)' --seconds $(FIRE_SECONDS) $(BUILD)
