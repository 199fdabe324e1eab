/* Times the number codec against its peers: text to numbers (reading.cpp) and float32 and float64
 * to text (std::to_chars, libfmt, double-conversion, snprintf, jansson), on matrices of 512 rows of
 * 256 numbers. Every contender's result is checked before anything is timed. Prints a table, or one
 * JSON object with BENCH_FORMAT=json. */
#include "tests/bench/codec/codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <malloc.h>
#include <random>

#include <double-conversion/double-conversion.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <jansson.h>

#include "gradient_wire.h"
extern "C" {
#include "codec/number/number.h"
#include "codec/payload/base64.h"
}
#include "tests/bench/kernels/timing.h"

static constexpr std::size_t ROUNDS = 15;

void fail(const char *what, const char *name)
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

char *print_nine(float value, char *text)
{
    return text + std::snprintf(text, 64, "%.9g", static_cast<double>(value));
}

char *print_shortest(float value, char *text)
{
    return std::to_chars(text, text + 64, value).ptr;
}

template <typename real> static char *print_by_fmt(real value, char *text)
{
    return fmt::format_to(text, FMT_COMPILE("{}"), value);
}

static const double_conversion::DoubleToStringConverter
    conversion(double_conversion::DoubleToStringConverter::NO_FLAGS, nullptr, nullptr, 'e', -6, 21,
               6, 0);

static char *print_by_conversion(float value, char *text)
{
    double_conversion::StringBuilder builder(text, 64);
    conversion.ToShortestSingle(value, &builder);
    return text + builder.position();
}

static char *print_by_conversion(double value, char *text)
{
    double_conversion::StringBuilder builder(text, 64);
    conversion.ToShortest(value, &builder);
    return text + builder.position();
}

/* ---- Writers
 * ---------------------------------------------------------------------------------
 */

namespace
{

char *print_seventeen(double value, char *text)
{
    return text + std::snprintf(text, 64, "%.17g", value);
}

char *print_shortest_double(double value, char *text)
{
    return std::to_chars(text, text + 64, value).ptr;
}

std::vector<double> normal_doubles()
{
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    std::vector<double> values(COUNT);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
}

std::vector<double> doubles_of_any_size()
{
    std::mt19937_64 random(2);
    std::vector<double> values;
    while (values.size() < COUNT) {
        std::uint64_t bits = random();
        double value;
        std::memcpy(&value, &bits, sizeof value);
        if (std::isfinite(value))
            values.push_back(value);
    }
    return values;
}

/* Of four digits or so, as people choose them. */
std::vector<double> short_doubles()
{
    std::vector<double> values = normal_doubles();
    for (double &value : values)
        value = std::round(value * 1e4) / 1e3;
    return values;
}

template <typename real>
std::size_t write_each(const std::vector<real> &values, std::string &out,
                       char *(*print)(real, char *))
{
    char *p = out.data();
    for (real value : values) {
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

std::size_t write_gradient(const std::vector<double> &values, std::string &out)
{
    return static_cast<std::size_t>(
        grad_number_row_write_double(values.data(), values.size(), out.data()) - out.data());
}

template <typename real>
std::size_t write_jansson(const std::vector<real> &values, std::string &out)
{
    json_t *array = json_array();
    for (real value : values)
        json_array_append_new(array, json_real(static_cast<double>(value)));
    std::size_t size =
        json_dumpb(array, out.data(), out.size(),
                   JSON_COMPACT | JSON_REAL_PRECISION(std::numeric_limits<real>::max_digits10));
    json_decref(array);
    out[size - 1] = '\0';
    std::memmove(out.data(), out.data() + 1, size - 1);
    return size - 2;
}

/* ---- Checking and timing
 * --------------------------------------------------------------------- */

template <typename real>
void check_text(const std::vector<real> &expected, const std::string &out, std::size_t length,
                const char *name)
{
    std::vector<real> found;
    const char *p = out.data(), *end = p + length;
    for (;; p++) {
        real value = 0;
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
    if (std::memcmp(expected.data(), found.data(), COUNT * sizeof(real)) != 0)
        fail("a number was written wrongly", name);
}

/* Base64 both ways, of bytes that fit the cache; in GB of bytes a second. */
void bench_base64(bool json)
{
    constexpr std::size_t BYTES = 3 << 14;
    std::vector<unsigned char> bytes(BYTES), out(BYTES + GRAD_BASE64_SLACK);
    std::string text(grad_base64_length(BYTES), '\0');
    std::mt19937_64 random(3);
    std::generate(
        bytes.begin(), bytes.end(), [&] { return static_cast<unsigned char>(random()); });
    std::vector<contender> contenders = {
        {"encode", [&] { grad_base64_encode(bytes.data(), BYTES, text.data()); }, {}},
        {"decode", [&] { grad_base64_decode(text.data(), text.size(), out.data()); }, {}},
    };
    for (contender &c : contenders)
        c.work();
    if (std::memcmp(bytes.data(), out.data(), BYTES) != 0)
        fail("bytes were read wrongly", "base64");
    if (json)
        std::printf(", \"base64\": {");
    for (contender &c : contenders) {
        constexpr int REPEATS = 1000;
        for (std::size_t round = 0; round < ROUNDS; round++) {
            double before = thread_seconds();
            for (int i = 0; i < REPEATS; i++)
                c.work();
            c.seconds.push_back((thread_seconds() - before) / REPEATS);
        }
        std::sort(c.seconds.begin(), c.seconds.end());
        double rate = static_cast<double>(BYTES) / 1e9 / c.seconds[ROUNDS / 2];
        std::printf(json ? "%s\"%s_gb_s\": %.2f" : "%sbase64 %s  %8.2f GB/s of bytes\n",
                    json && &c != &contenders[0] ? ", " : "", c.name, rate);
    }
    if (json)
        std::printf("}");
}

} // namespace

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

static double nanoseconds(const contender &c, std::size_t count)
{
    return c.seconds[ROUNDS / 2] * 1e9 / static_cast<double>(count);
}

void report(const char *name, double bytes, std::size_t count, std::vector<contender> &contenders,
            bool json)
{
    double ours = nanoseconds(contenders[0], count);
    static const char *separator = "";
    if (json)
        std::printf("%s\"%s\": {\"bytes\": %.2f", separator, name, bytes);
    else
        std::printf("%-22s %5.2f bytes a number\n", name, bytes);
    separator = ", ";
    for (std::size_t i = 0; i < contenders.size(); i++) {
        double peer = nanoseconds(contenders[i], count);
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

template <typename real>
static void bench_writing(const char *name, const std::vector<real> &values,
                          char *(*shortest)(real, char *), char *(*all)(real, char *), bool json)
{
    std::string out(COUNT * 32, '\0');
    std::size_t length = 0;
    std::vector<contender> contenders = {
        {"gradient", [&] { length = write_gradient(values, out); }, {}},
        {"to_chars", [&] { length = write_each(values, out, shortest); }, {}},
        {"fmt", [&] { length = write_each(values, out, print_by_fmt<real>); }, {}},
        {"double_conversion",
         [&] {
             char *(*print)(real, char *) = print_by_conversion;
             length = write_each(values, out, print);
         },
         {}},
        {"snprintf", [&] { length = write_each(values, out, all); }, {}},
        {"jansson", [&] { length = write_jansson(values, out); }, {}},
    };
    for (contender &c : contenders) {
        c.work();
        check_text(values, out, length, c.name);
    }
    contenders[0].work();
    double bytes = static_cast<double>(length) / static_cast<double>(COUNT);
    time_all(contenders);
    report(name, bytes, COUNT, contenders, json);
}

int main()
{
    const char *format = std::getenv("BENCH_FORMAT");
    bool json = format != nullptr && std::strcmp(format, "json") == 0;
    numbers normal = normal_numbers(), any = numbers_of_any_size();

    mallopt(M_MMAP_THRESHOLD, 1 << 28); /* no page faults in each round */
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    if (json)
        std::printf("{");
    bench_reading(json);
    bench_writing("write_normal", normal, print_shortest, print_nine, json);
    bench_writing("write_any_size", any, print_shortest, print_nine, json);
    bench_writing("write_double", normal_doubles(), print_shortest_double, print_seventeen, json);
    bench_writing("write_double_any_size", doubles_of_any_size(), print_shortest_double,
                  print_seventeen, json);
    bench_writing("write_double_short", short_doubles(), print_shortest_double, print_seventeen,
                  json);
    bench_base64(json);
    if (json)
        std::printf("}\n");
    return 0;
}
