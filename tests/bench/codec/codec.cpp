/* Times the number codec against its peers: text to float32 (simdjson
 * On-Demand, std::from_chars, jansson's tree) and float32 to text
 * (std::to_chars, snprintf, jansson), on matrices of 512 rows of 256 numbers.
 * Every contender's result is checked before anything is timed. Prints a table,
 * or one JSON object with BENCH_FORMAT=json. */
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <jansson.h>
#include <simdjson.h>

#include "gradient_wire.h"
extern "C" {
#include "codec/number/number.h"
}
#include "tests/bench/kernels/timing.h"

namespace
{

constexpr std::size_t ROWS = 512, COLUMNS = 256, COUNT = ROWS * COLUMNS, ROUNDS = 15;

using numbers = std::vector<float>;
using printer = std::function<char *(float, char *)>;

struct contender {
    const char *name;
    std::function<void()> work;
    std::vector<double> seconds;
};

[[noreturn]] void fail(const char *what, const char *name)
{
    std::fprintf(stderr, "codec: %s: %s\n", what, name);
    std::exit(1);
}

/* ---- Inputs
 * ----------------------------------------------------------------------------------
 */

numbers normal_numbers()
{
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    numbers values(COUNT);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
}

/* Evenly spread bit patterns: every exponent is as frequent as any other. */
numbers numbers_of_any_size()
{
    std::mt19937_64 random(2);
    numbers values;
    while (values.size() < COUNT) {
        std::uint32_t bits = static_cast<std::uint32_t>(random());
        float value;
        std::memcpy(&value, &bits, sizeof value);
        if (std::isfinite(value))
            values.push_back(value);
    }
    return values;
}

std::string matrix_text(const numbers &values, const printer &print)
{
    std::string text = "[";
    for (std::size_t i = 0; i < values.size(); i++) {
        char one[64];
        text += i % COLUMNS == 0 ? (i == 0 ? "[" : "],[") : ",";
        text.append(one, print(values[i], one));
    }
    return text + "]]";
}

char *print_nine(float value, char *text)
{
    return text + std::snprintf(text, 64, "%.9g", static_cast<double>(value));
}

char *print_shortest(float value, char *text)
{
    return std::to_chars(text, text + 64, value).ptr;
}

/* What a program sends that computes in doubles: near the float, with 17
 * digits. */
char *print_double(float value, char *text)
{
    return text + std::snprintf(text, 64, "%.17g", static_cast<double>(value) * (1 + 0x1p-30));
}

/* ---- Readers
 * ---------------------------------------------------------------------------------
 */

void read_gradient(const std::string &text, numbers &out)
{
    const char *p = text.data() + 1, *end = text.data() + text.size();
    bool after_value = false;
    for (std::size_t row = 0; row < ROWS; row++, p += 2)
        grad_number_row_read(p + 1, end, &out[row * COLUMNS], COLUMNS, &p, &after_value);
}

void read_from_chars(const std::string &text, numbers &out)
{
    const char *p = text.data() + 1, *end = text.data() + text.size();
    for (std::size_t row = 0; row < ROWS; row++, p += 2)
        for (std::size_t i = 0; i < COLUMNS; i++)
            p = std::from_chars(p + 1, end, out[row * COLUMNS + i]).ptr;
}

void read_simdjson(simdjson::ondemand::parser &parser, const simdjson::padded_string &text,
                   numbers &out)
{
    std::size_t count = 0;
    auto document = parser.iterate(text);
    for (auto row : document.get_array())
        for (auto value : row.get_array())
            out[count++] = static_cast<float>(value.get_double().value());
}

void read_jansson(const std::string &text, numbers &out)
{
    json_t *tree = json_loadb(text.data(), text.size(), 0, nullptr);
    for (std::size_t row = 0; row < json_array_size(tree); row++) {
        const json_t *numbers_of_row = json_array_get(tree, row);
        for (std::size_t i = 0; i < COLUMNS; i++)
            out[row * COLUMNS + i] =
                static_cast<float>(json_number_value(json_array_get(numbers_of_row, i)));
    }
    json_decref(tree);
}

/* ---- Writers
 * ---------------------------------------------------------------------------------
 */

std::size_t write_each(const numbers &values, std::string &out, char *(*print)(float, char *))
{
    char *p = out.data();
    for (float value : values) {
        p = print(value, p);
        *p++ = ',';
    }
    return static_cast<std::size_t>(p - 1 - out.data());
}

std::size_t write_gradient(const numbers &values, std::string &out)
{
    return static_cast<std::size_t>(
        grad_number_row_write(values.data(), values.size(), out.data()) - out.data());
}

std::size_t write_jansson(const numbers &values, std::string &out)
{
    json_t *array = json_array();
    for (float value : values)
        json_array_append_new(array, json_real(static_cast<double>(value)));
    std::size_t size =
        json_dumpb(array, out.data(), out.size(), JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(array);
    out[size - 1] = '\0';
    std::memmove(out.data(), out.data() + 1, size - 1);
    return size - 2;
}

/* ---- Checking and timing
 * --------------------------------------------------------------------- */

void check_same(const numbers &expected, const numbers &found, const char *name, bool twice_rounded)
{
    for (std::size_t i = 0; i < COUNT; i++) {
        float other = std::nextafter(expected[i], found[i]);
        bool same = std::memcmp(&expected[i], &found[i], sizeof(float)) == 0;
        if (!same && !(twice_rounded && other == found[i]))
            fail("a number was read wrongly", name);
    }
}

void check_text(const numbers &expected, const std::string &out, std::size_t length,
                const char *name)
{
    numbers found;
    const char *p = out.data(), *end = p + length;
    for (;; p++) {
        float value = 0;
        auto result = std::from_chars(p, end, value);
        if (result.ec != std::errc())
            fail("a number was written wrongly", name);
        found.push_back(value);
        p = result.ptr;
        if (p == end)
            break;
    }
    if (found.size() != COUNT)
        fail("numbers are missing", name);
    check_same(expected, found, name, false);
}

/* Rounds in turn, so that a disturbance of the machine meets all contenders. */
void time_all(std::vector<contender> &contenders)
{
    for (std::size_t round = 0; round < ROUNDS; round++)
        for (contender &c : contenders) {
            double before = thread_seconds();
            c.work();
            c.seconds.push_back(thread_seconds() - before);
        }
    for (contender &c : contenders)
        std::sort(c.seconds.begin(), c.seconds.end());
}

double nanoseconds(const contender &c)
{
    return c.seconds[ROUNDS / 2] * 1e9 / static_cast<double>(COUNT);
}

/* The first contender is ours; the ratios are ours over the peer's. */
void report(const char *name, double bytes, std::vector<contender> &contenders, bool json)
{
    double ours = nanoseconds(contenders[0]);
    static const char *separator = "";
    if (json)
        std::printf("%s\"%s\": {\"bytes\": %.2f", separator, name, bytes);
    else
        std::printf("%-22s %5.2f bytes a number\n", name, bytes);
    separator = ", ";
    for (std::size_t i = 0; i < contenders.size(); i++) {
        double peer = nanoseconds(contenders[i]);
        const char *key = contenders[i].name;
        if (json && i == 0)
            std::printf(", \"%s_ns\": %.2f", key, peer);
        else if (json)
            std::printf(", \"%s_ns\": %.2f, \"over_%s\": %.3f", key, peer, key, ours / peer);
        else
            std::printf("    %-14s %8.2f ns   ratio %.3f\n", key, peer, ours / peer);
    }
    if (json)
        std::printf("}");
}

void bench_reading(const char *name, const std::string &text, bool json)
{
    simdjson::padded_string padded(text);
    simdjson::ondemand::parser parser;
    numbers expected(COUNT), out(COUNT);
    read_from_chars(text, expected);
    std::vector<contender> contenders = {
        {"gradient", [&] { read_gradient(text, out); }, {}},
        {"simdjson", [&] { read_simdjson(parser, padded, out); }, {}},
        {"from_chars", [&] { read_from_chars(text, out); }, {}},
        {"jansson", [&] { read_jansson(text, out); }, {}},
    };
    for (contender &c : contenders) {
        std::fill(out.begin(), out.end(), NAN);
        c.work();
        bool through_double = c.name[0] == 's' || c.name[0] == 'j';
        check_same(expected, out, c.name, through_double);
    }
    time_all(contenders);
    report(name, static_cast<double>(text.size()) / static_cast<double>(COUNT), contenders, json);
}

void bench_writing(const char *name, const numbers &values, bool json)
{
    std::string out(COUNT * 32, '\0');
    std::size_t length = 0;
    std::vector<contender> contenders = {
        {"gradient", [&] { length = write_gradient(values, out); }, {}},
        {"to_chars", [&] { length = write_each(values, out, print_shortest); }, {}},
        {"snprintf", [&] { length = write_each(values, out, print_nine); }, {}},
        {"jansson", [&] { length = write_jansson(values, out); }, {}},
    };
    for (contender &c : contenders) {
        c.work();
        check_text(values, out, length, c.name);
    }
    contenders[0].work();
    double bytes = static_cast<double>(length) / static_cast<double>(COUNT);
    time_all(contenders);
    report(name, bytes, contenders, json);
}

} // namespace

int main()
{
    const char *format = std::getenv("BENCH_FORMAT");
    bool json = format != nullptr && std::strcmp(format, "json") == 0;
    numbers normal = normal_numbers(), any = numbers_of_any_size();

    if (json)
        std::printf("{");
    bench_reading("read_nine_digits", matrix_text(normal, print_nine), json);
    bench_reading("read_shortest", matrix_text(normal, print_shortest), json);
    bench_reading("read_17_digits", matrix_text(normal, print_double), json);
    bench_reading("read_any_size", matrix_text(any, print_shortest), json);
    bench_writing("write_normal", normal, json);
    bench_writing("write_any_size", any, json);
    if (json)
        std::printf("}\n");
    return 0;
}
