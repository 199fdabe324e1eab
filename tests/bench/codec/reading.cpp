/* Whole documents of every shape that clients send, decoded by gradient's decoder, by simdjson
 * On-Demand and, number by number, by the C++ or C library. CODEC_OTHER=path/libgradient.so times
 * the decoder of another build in the same rounds. */
#include "tests/bench/codec/codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <limits>
#include <random>

#include <simdjson.h>

#include "gradient_wire.h"

namespace
{

/* How a document's one array of numbers looks, and how often it is read in one round. */
struct shape {
    const char *name;
    std::size_t rows, columns;
    const char *comma, *row;
    grad_datatype datatype = GRAD_FP32;
    std::size_t times = 1;
    bool strings = false;
};

/* A decoder, of this build or of another. */
struct build {
    decltype(&grad_decoder_create) create = grad_decoder_create;
    decltype(&grad_decoder_push) push = grad_decoder_push;
    decltype(&grad_decoder_finish_request) finish = grad_decoder_finish_request;
    decltype(&grad_decoder_destroy) destroy = grad_decoder_destroy;
};

template <typename function> void find(void *library, const char *name, function &found)
{
    found = reinterpret_cast<function>(dlsym(library, name));
    if (found == nullptr)
        fail("no such function in CODEC_OTHER", name);
}

/* False where none is asked for. */
bool find_other(build &other)
{
    const char *path = std::getenv("CODEC_OTHER");
    if (path == nullptr)
        return false;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        fail("cannot be opened", path);
    find(library, "grad_decoder_create", other.create);
    find(library, "grad_decoder_push", other.push);
    find(library, "grad_decoder_finish_request", other.finish);
    find(library, "grad_decoder_destroy", other.destroy);
    return true;
}

/* ---- Texts
 * -----------------------------------------------------------------------------------
 */

using texts = std::vector<std::string>;

const char HEAD[] = "{\"layers\":[{\"activation\":\"relu\",\"input\":";
const char TAIL[] = ",\"pre_activation\":[[1]],\"grad_output\":[[1]]}]}";

std::string document(const shape &s, const texts &values)
{
    std::string text = HEAD + std::string("[");
    for (std::size_t row = 0, i = 0; row < s.rows; row++) {
        text += row == 0 ? "[" : s.row;
        for (std::size_t column = 0; column < s.columns; column++, i++)
            text += (column == 0 ? "" : s.comma) + values[i % values.size()];
    }
    return text + "]]" + TAIL;
}

texts print_all(const numbers &values, const printer &print)
{
    texts all;
    for (float value : values) {
        char one[64];
        all.emplace_back(one, print(value, one));
    }
    return all;
}

/* Doubles as %.17g or Python's repr writes them, of that magnitude. */
texts doubles(double scale, const char *format)
{
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> uniform(-scale, scale);
    texts all;
    while (all.size() < COUNT) {
        double value = uniform(random);
        char one[64];
        if (std::fabs(value) < scale / 10)
            continue;
        std::snprintf(one, sizeof one, format, value);
        all.emplace_back(one);
    }
    return all;
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

using wide_numbers = std::vector<double>;

void read_gradient(const build &b, const shape &s, const std::string &text, wide_numbers *out)
{
    grad_decoder *decoder = nullptr;
    grad_batch *batch = nullptr;
    if (b.create(nullptr, s.datatype, text.size(), &decoder, nullptr) != GRAD_OK ||
        b.push(decoder, text.data(), text.size(), nullptr) != GRAD_OK ||
        b.finish(decoder, GRAD_REQUEST_GRADIENTS, &batch, nullptr) != GRAD_OK)
        fail("cannot be decoded", s.name);
    /* The batch of another build may be laid out in another way: only ours is looked into. */
    const void *data = out != nullptr ? batch->layers[0].input.data : nullptr;
    for (std::size_t i = 0; out != nullptr && i < out->size(); i++)
        (*out)[i] = s.datatype == GRAD_FP64
                        ? static_cast<const double *>(data)[i]
                        : static_cast<double>(static_cast<const float *>(data)[i]);
    b.destroy(decoder);
}

double read_value(simdjson::ondemand::value value, bool is_string)
{
    if (!is_string)
        return value.get_double().value();
    std::string_view word = value.get_string().value();
    return word == "NaN" ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
}

template <typename number>
void read_simdjson(const shape &s, simdjson::ondemand::parser &parser,
                   const simdjson::padded_string &text, std::vector<number> &out)
{
    std::size_t count = 0;
    auto root = parser.iterate(text);
    for (auto layer : root["layers"].get_array())
        for (auto row : layer["input"].get_array())
            for (auto value : row.get_array())
                out[count++] = static_cast<number>(read_value(value.value(), s.strings));
}

template <typename number> void read_from_chars(const texts &values, std::vector<number> &out)
{
    for (std::size_t i = 0; i < out.size(); i++) {
        const std::string &text = values[i % values.size()];
        std::from_chars(text.data(), text.data() + text.size(), out[i]);
    }
}

template <typename number> void read_strtod(const texts &values, std::vector<number> &out)
{
    for (std::size_t i = 0; i < out.size(); i++)
        out[i] = static_cast<number>(std::strtod(values[i % values.size()].c_str(), nullptr));
}

/* ---- Checking and timing
 * --------------------------------------------------------------------- */

template <typename number>
void check_same(const shape &s, const texts &values, const wide_numbers &found)
{
    for (std::size_t i = 0; i < found.size(); i++) {
        const std::string &text = values[i % values.size()];
        number expected = std::numeric_limits<number>::quiet_NaN(),
               ours = static_cast<number>(found[i]);
        if (s.strings)
            expected = text == "\"NaN\"" ? expected : std::numeric_limits<number>::infinity();
        else
            std::from_chars(text.data(), text.data() + text.size(), expected);
        if (std::memcmp(&expected, &ours, sizeof ours) != 0 && !std::isnan(expected + ours))
            fail("a number was read wrongly", s.name);
    }
}

std::function<void()> repeated(const shape &s, const std::function<void()> &work)
{
    return [&s, work] {
        for (std::size_t i = 0; i < s.times; i++)
            work();
    };
}

template <typename number>
void bench_shape(const shape &s, const texts &values, const build *other, bool json)
{
    std::string text = document(s, values);
    simdjson::padded_string padded(text);
    simdjson::ondemand::parser parser;
    std::size_t count = s.rows * s.columns;
    wide_numbers read(count);
    std::vector<number> out(count);
    build ours;
    std::vector<contender> contenders = {
        {"gradient", repeated(s, [&] { read_gradient(ours, s, text, nullptr); }), {}},
        {"simdjson", repeated(s, [&] { read_simdjson(s, parser, padded, out); }), {}},
    };

    if (other != nullptr)
        contenders.push_back(
            {"other", repeated(s, [&] { read_gradient(*other, s, text, nullptr); }), {}});
    if (!s.strings) {
        contenders.push_back({"from_chars",
                              repeated(
                                  s, [&] { read_from_chars(values, out); }),
                              {}});
        contenders.push_back({"strtod", repeated(s, [&] { read_strtod(values, out); }), {}});
    }
    read_gradient(ours, s, text, &read);
    check_same<number>(s, values, read);
    time_all(contenders);
    report(s.name, static_cast<double>(text.size()) / static_cast<double>(count), count * s.times,
           contenders, json);
}

/* Documents of a thousand layers of five numbers; a number here is a layer. */
void bench_layers(const build *other, bool json)
{
    const shape s = {"read_1000_layers", 1000, 1, "", ""};
    std::string text = "{\"layers\":[";
    for (std::size_t i = 0; i < s.rows; i++)
        text += std::string(i == 0 ? "" : ",") + "{\"name\":\"layer" + std::to_string(i) +
                "\",\"activation\":\"relu\",\"input\":[[0.5,-0.25]],\"pre_activation\":[[1.5]],"
                "\"grad_output\":[[0.125]]}";
    text += "]}";
    simdjson::padded_string padded(text);
    simdjson::ondemand::parser parser;
    std::vector<float> out(2 * s.rows);
    build ours;
    std::vector<contender> contenders = {
        {"gradient", [&] { read_gradient(ours, s, text, nullptr); }, {}},
        {"simdjson", [&] { read_simdjson(s, parser, padded, out); }, {}},
    };

    if (other != nullptr)
        contenders.push_back({"other", [&] { read_gradient(*other, s, text, nullptr); }, {}});
    time_all(contenders);
    report(s.name, static_cast<double>(text.size()) / static_cast<double>(s.rows), s.rows,
           contenders, json);
}

} // namespace

void bench_reading(bool json)
{
    const char *const row = "],[";
    build found;
    const build *other = find_other(found) ? &found : nullptr;
    numbers normal = normal_numbers();
    texts nine = print_all(normal, print_nine), shortest = print_all(normal, print_shortest);
    texts seventeen = print_all(normal, print_double);
    texts any = print_all(numbers_of_any_size(), print_shortest);

    bench_shape<float>({"read_nine_digits", ROWS, COLUMNS, ",", row}, nine, other, json);
    bench_shape<float>({"read_shortest", ROWS, COLUMNS, ",", row}, shortest, other, json);
    bench_shape<float>({"read_17_digits", ROWS, COLUMNS, ",", row}, seventeen, other, json);
    bench_shape<float>({"read_any_size", ROWS, COLUMNS, ",", row}, any, other, json);
    bench_shape<float>({"read_comma_space", ROWS, COLUMNS, ", ", "], ["}, nine, other, json);
    bench_shape<float>({"read_python", ROWS, COLUMNS, ", ", "], ["}, seventeen, other, json);
    bench_shape<float>({"read_space_comma", ROWS, COLUMNS, " ,", "] ,["}, nine, other, json);
    bench_shape<float>({"read_20_digits", ROWS, COLUMNS, ",", row}, doubles(0.01, "%.17g"), other,
                       json);
    bench_shape<float>({"read_17_exponent", ROWS, COLUMNS, ",", row}, doubles(1e-5, "%.17g"), other,
                       json);
    bench_shape<float>({"read_rows_of_1", COUNT, 1, ",", row}, nine, other, json);
    bench_shape<float>({"read_rows_of_2", COUNT / 2, 2, ",", row}, nine, other, json);
    bench_shape<float>({"read_rows_of_4", COUNT / 4, 4, ",", row}, nine, other, json);
    bench_shape<float>({"read_nan", ROWS, COLUMNS, ",", row, GRAD_FP32, 1, true},
                       {"\"NaN\"", "\"Infinity\""}, other, json);
    bench_shape<float>({"read_1_kb", 10, 8, ",", row, GRAD_FP32, 100}, nine, other, json);
    bench_shape<double>({"read_fp64", ROWS, COLUMNS, ",", row, GRAD_FP64}, doubles(1, "%.17g"),
                        other, json);
    bench_shape<double>({"read_fp64_exponent", ROWS, COLUMNS, ",", row, GRAD_FP64},
                        doubles(1e-5, "%.17g"), other, json);
    bench_layers(other, json);
}
