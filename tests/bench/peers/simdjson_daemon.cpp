/* A peer for the benchmark: the service as one writes it who knows the fastest parts that Debian
 * has. libmicrohttpd with epoll and a thread a processor, simdjson On-Demand straight into float32,
 * OpenBLAS for the product, and std::to_chars for the answer, which prints float32 faster than
 * libfmt and double-conversion do (`make bench-codec`). It answers POST /v1/gradients for the
 * common case (nested arrays, reduction sum). It shares no code with the project. */
#include <algorithm>
#include <cblas.h>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <microhttpd.h>
#include <simdjson.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace
{

struct matrix {
    std::vector<float> data;
    std::size_t rows = 0, columns = 0;
};

matrix read_matrix(simdjson::ondemand::array rows)
{
    matrix m;
    for (auto row : rows) {
        for (auto number : row.get_array())
            m.data.push_back(static_cast<float>(number.get_double().value()));
        m.rows++;
        if (m.rows == 1)
            m.columns = m.data.size();
        if (m.columns == 0 || m.data.size() != m.rows * m.columns)
            throw std::invalid_argument("a ragged matrix");
    }
    return m;
}

float slope(std::string_view activation, float z)
{
    if (activation == "relu")
        return z > 0 ? 1.0f : 0.0f;
    if (activation == "sigmoid") {
        float y = 1.0f / (1.0f + std::exp(-z));
        return y * (1.0f - y);
    }
    if (activation == "tanh") {
        float y = std::tanh(z);
        return 1.0f - y * y;
    }
    if (activation == "identity")
        return 1.0f;
    throw std::invalid_argument("unknown activation");
}

/* The longest float32 that std::to_chars prints has 15 characters. */
void print_row(std::string &text, const float *values, std::size_t count)
{
    std::size_t length = text.size();
    text.resize(length + 16 * count + 2);
    char *at = text.data() + length;
    *at++ = '[';
    for (std::size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        at = std::to_chars(at, at + 16, values[i]).ptr;
    }
    *at++ = ']';
    text.resize(static_cast<std::size_t>(at - text.data()));
}

void print_answer(std::string &text, const std::vector<float> &weight_delta,
                  const std::vector<float> &bias_delta, std::size_t columns)
{
    text += R"({"weight_delta":[)";
    for (std::size_t i = 0; i < weight_delta.size(); i += columns) {
        if (i > 0)
            text += ',';
        print_row(text, &weight_delta[i], columns);
    }
    text += R"(],"bias_delta":)";
    print_row(text, bias_delta.data(), bias_delta.size());
    text += '}';
}

void add_layer(std::string &text, simdjson::ondemand::object layer)
{
    /* A view into the body, which outlives it; taken before the cursor moves on. */
    std::string activation(layer["activation"].get_string().value());
    matrix x = read_matrix(layer["input"].get_array());
    matrix z = read_matrix(layer["pre_activation"].get_array());
    matrix delta = read_matrix(layer["grad_output"].get_array());
    std::size_t B = x.rows, K = x.columns, N = z.columns;
    if (B == 0 || z.rows != B || delta.rows != B || delta.columns != N)
        throw std::invalid_argument("shapes that do not agree");
    for (std::size_t i = 0; i < B * N; i++)
        delta.data[i] *= slope(activation, z.data[i]);
    std::vector<float> weight_delta(N * K), bias_delta(N);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(N), static_cast<int>(K),
                static_cast<int>(B), 1.0f, delta.data.data(), static_cast<int>(N), x.data.data(),
                static_cast<int>(K), 0.0f, weight_delta.data(), static_cast<int>(K));
    for (std::size_t b = 0; b < B; b++)
        for (std::size_t n = 0; n < N; n++)
            bias_delta[n] += delta.data[b * N + n];
    print_answer(text, weight_delta, bias_delta, K);
}

std::string gradients(std::string &body)
{
    thread_local simdjson::ondemand::parser parser;
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document =
        parser.iterate(simdjson::padded_string_view(body.data(), body.size(), body.capacity()));
    std::string text = R"({"layers":[)";
    bool is_first = true;
    for (auto layer : document["layers"].get_array()) {
        if (!is_first)
            text += ',';
        is_first = false;
        add_layer(text, layer.get_object());
    }
    return text + "]}";
}

enum MHD_Result answer(MHD_Connection *connection, unsigned status, std::string text)
{
    auto *kept = new std::string(std::move(text));
    MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        kept->size(), kept->data(),
        [](void *context) { delete static_cast<std::string *>(context); }, kept);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

std::size_t length_of(MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    std::size_t bytes = length == nullptr ? 0 : std::strtoul(length, nullptr, 10);
    return bytes < (1u << 30) ? bytes : 0;
}

enum MHD_Result handle(void *, MHD_Connection *connection, const char *, const char *method,
                       const char *, const char *data, std::size_t *size, void **state)
{
    auto *body = static_cast<std::string *>(*state);
    if (body == nullptr) {
        *state = body = new std::string;
        body->reserve(length_of(connection) + simdjson::SIMDJSON_PADDING);
        return MHD_YES;
    }
    if (*size > 0) {
        body->append(data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (std::string_view(method) != "POST")
        return answer(connection, MHD_HTTP_OK, "{}");
    try {
        return answer(connection, MHD_HTTP_OK, gradients(*body));
    } catch (const std::exception &) {
        return answer(connection, MHD_HTTP_BAD_REQUEST, R"({"error":"bad request"})");
    }
}

void finished(void *, MHD_Connection *, void **state, MHD_RequestTerminationCode)
{
    delete static_cast<std::string *>(*state);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: simdjson_daemon PORT\n");
        return 2;
    }
    sigset_t stop;
    int number;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, static_cast<std::uint16_t>(std::atoi(argv[1])), nullptr,
        nullptr, handle, nullptr, MHD_OPTION_NOTIFY_COMPLETED, finished, nullptr,
        MHD_OPTION_THREAD_POOL_SIZE, std::max(2u, std::thread::hardware_concurrency()),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<std::size_t>(128 * 1024), MHD_OPTION_END);
    if (daemon == nullptr) {
        std::fprintf(stderr, "simdjson_daemon: cannot listen on port %s\n", argv[1]);
        return 1;
    }
    sigwait(&stop, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
