# The peers in C and C++: daemons as one writes them without the project.

BENCH_BIN += $(BUILD)/bench/naive_daemon $(BUILD)/bench/simdjson_daemon

$(BUILD)/bench/naive_daemon: $(BUILD)/obj/tests/bench/peers/naive_daemon.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libmicrohttpd jansson openblas) -lpthread -lm

$(BUILD)/obj/tests/bench/peers/%.o: tests/bench/peers/%.cpp
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(OPTIMIZE) $(CXX_WARNINGS) -MMD -MP -c -o $@ $<

$(BUILD)/bench/simdjson_daemon: $(BUILD)/obj/tests/bench/peers/simdjson_daemon.o
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ -lsimdjson $(shell pkg-config --libs libmicrohttpd openblas) -lpthread
