/* What the parts of the codec's benchmark share: contenders, their times, and how they are
 * reported. */
#ifndef TESTS_BENCH_CODEC_CODEC_H
#define TESTS_BENCH_CODEC_CODEC_H

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

constexpr std::size_t ROWS = 512, COLUMNS = 256, COUNT = ROWS * COLUMNS;

using numbers = std::vector<float>;
using printer = std::function<char *(float, char *)>;

struct contender {
    const char *name;
    std::function<void()> work;
    std::vector<double> seconds;
};

[[noreturn]] void fail(const char *what, const char *name);

numbers normal_numbers();
/* Evenly spread bit patterns: every exponent is as frequent as any other. */
numbers numbers_of_any_size();

char *print_nine(float value, char *text);
char *print_shortest(float value, char *text);

/* Every contender's time, in rounds in turn, so that a disturbance of the machine meets all. */
void time_all(std::vector<contender> &contenders);

/* The first contender is ours; the ratios are ours over the peer's. count numbers (or layers, where
 * the case's name says so) are read or written by one work(). */
void report(const char *name, double bytes, std::size_t count, std::vector<contender> &contenders,
            bool json);

/* Every shape of text that is read. */
void bench_reading(bool json);

#endif
