# The peer in C: a daemon as one writes it without the project.

BENCH_BIN += $(BUILD)/bench/naive_daemon

$(BUILD)/bench/naive_daemon: $(BUILD)/obj/tests/bench/peers/naive_daemon.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libmicrohttpd jansson openblas) -lpthread -lm
