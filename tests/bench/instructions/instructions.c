/* What valgrind counts the instructions of: each case_ function once, through the public library.
 * Begins by saying whether the processor, valgrind's, has what the vector code asks for. */
#include "gradient_wire.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A dense layer; and how much of a body is read at once: never whole groups of base64. */
enum { B = 64, K = 256, N = 64, TAKES = 32767 };

typedef struct work {
    grad_layer layer;
    grad_batch batch;
    grad_plan *plan;
    grad_run *run;
} work;

typedef struct body {
    grad_text text;
    size_t document_length;
} body;

static void must(grad_status status, const grad_error *error)
{
    if (status != GRAD_OK) {
        fprintf(stderr, "instructions: %s\n", error->detail);
        exit(1);
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Marsaglia's xorshift64 (Journal of Statistical Software 8, 14, 2003). */
static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* About normal. */
static double some_normal(uint64_t *state)
{
    double sum = 0;
    for (int k = 0; k < 4; k++)
        sum += (double)(random_bits(state) >> 11) * 0x1p-53 - 0.5;
    return 1.7 * sum;
}

/* Of any magnitude that a sum of B products of such numbers and ones still holds. */
static double some_magnitude(uint64_t *state)
{
    int exponent = (int)(random_bits(state) % 200) - 100;
    return ldexp(some_normal(state), exponent);
}

static void *make_numbers(size_t count, grad_datatype datatype, double (*some)(uint64_t *))
{
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15) + count;
    float *narrow = calloc(count, sizeof(double));
    double *wide = (double *)(void *)narrow;
    if (narrow == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        double value = some(&state);
        if (datatype == GRAD_FP32)
            narrow[i] = (float)value;
        else
            wide[i] = value;
    }
    return narrow;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static void make_work(work *w, size_t rows, size_t columns, grad_datatype datatype,
                      double (*some)(uint64_t *))
{
    *w = (work){
        .layer = {.activation = grad_activation_default(GRAD_RELU),
                  .input = {make_numbers(rows * columns, datatype, some), 2, {rows, columns}},
                  .pre_activation = {make_numbers(rows * N, datatype, some_normal), 2, {rows, N}},
                  .grad_output = {make_numbers(rows * N, datatype, some_normal), 2, {rows, N}}}};
    w->batch =
        (grad_batch){.scale = 1, .datatype = datatype, .layer_count = 1, .layers = &w->layer};
}

static void join(grad_encoder *encoder, body *to)
{
    grad_error error = GRAD_ERROR_INIT;
    const grad_segment *segments = grad_encoder_segments(encoder);
    grad_text_init(&to->text, SIZE_MAX);
    for (size_t s = 0; s < grad_encoder_segment_count(encoder); s++)
        grad_text_add(&to->text, segments[s].text, segments[s].length);
    to->document_length = grad_encoder_document_length(encoder);
    must(grad_text_status(&to->text, &error), &error);
}

static void make_request(work *w, grad_encoding encoding, body *to)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_encoder *encoder = NULL;
    w->batch.encoding = encoding;
    must(grad_encode_request(&w->batch, &encoder, &error), &error);
    must(grad_encoder_run_all(encoder, &error), &error);
    join(encoder, to);
    grad_encoder_destroy(encoder);
}

/* The request in JSON, its numbers of nine digits, as C and JavaScript's toPrecision write them. */
static void make_request_of_nine(const work *w, body *to)
{
    const grad_tensor *tensors[] = {&w->layer.input, &w->layer.pre_activation,
                                    &w->layer.grad_output};
    const char *const names[] = {"input", "pre_activation", "grad_output"};
    *to = (body){0};
    grad_text_init(&to->text, SIZE_MAX);
    grad_text_printf(&to->text, "{\"layers\":[{\"activation\":\"relu\"");
    for (int t = 0; t < 3; t++) {
        const float *numbers = tensors[t]->data;
        size_t columns = tensors[t]->shape[1];
        grad_text_printf(&to->text, ",\"%s\":", names[t]);
        for (size_t i = 0; i < tensors[t]->shape[0] * columns; i++)
            grad_text_printf(&to->text, "%s%.9g",
                             i == 0             ? "[["
                             : i % columns == 0 ? "],["
                                                : ",",
                             (double)numbers[i]);
        grad_text_printf(&to->text, "]]");
    }
    grad_text_printf(&to->text, "}]}");
}

/* ---- What is counted ------------------------------------------------------------------------- */

static void decode(const body *from, grad_datatype datatype)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    must(grad_decoder_create(NULL, datatype, from->text.length, &decoder, &error), &error);
    if (from->document_length > 0)
        grad_decoder_expect_tail(decoder, from->document_length);
    for (size_t at = 0; at < from->text.length; at += TAKES) {
        size_t left = from->text.length - at;
        must(grad_decoder_push(decoder, from->text.data + at, left < TAKES ? left : TAKES, &error),
             &error);
    }
    must(grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, &error), &error);
    grad_decoder_destroy(decoder);
}

static void compute(work *w)
{
    grad_error error = GRAD_ERROR_INIT;
    must(grad_plan_create(&w->batch, NULL, &w->plan, &error), &error);
    must(grad_run_create(w->plan, &w->run, &error), &error);
    must(grad_run_all(w->run, &error), &error);
}

static void encode(work *w, grad_encoding encoding)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_encoder *encoder = NULL;
    w->batch.encoding = encoding;
    must(grad_encode_reply(&w->batch, grad_run_reply(w->run), NULL, &encoder, &error), &error);
    must(grad_encoder_run_all(encoder, &error), &error);
    grad_encoder_destroy(encoder);
}

/* valgrind sees a case by its function's name. */
#define CASE(name, statement)                                                                      \
    __attribute__((noinline, noipa)) void case_##name(void);                                       \
    void case_##name(void)                                                                         \
    {                                                                                              \
        statement;                                                                                 \
    }

static body of_nine, shortest, wide_text, base64, binary, small_body;
static work normal, any, wide, wide_any, small;

CASE(read_float32_nine_digits, decode(&of_nine, GRAD_FP32))
CASE(read_float32_shortest, decode(&shortest, GRAD_FP32))
CASE(read_float64, decode(&wide_text, GRAD_FP64))
CASE(read_base64, decode(&base64, GRAD_FP32))
CASE(read_binary, decode(&binary, GRAD_FP32))
CASE(print_float32, encode(&normal, GRAD_ENCODING_JSON))
CASE(print_float32_any_magnitude, encode(&any, GRAD_ENCODING_JSON))
CASE(print_float64, encode(&wide, GRAD_ENCODING_JSON))
CASE(print_float64_any_magnitude, encode(&wide_any, GRAD_ENCODING_JSON))
CASE(print_base64, encode(&normal, GRAD_ENCODING_BASE64))
CASE(print_binary, encode(&normal, GRAD_ENCODING_BINARY))
CASE(decode_small, decode(&small_body, GRAD_FP32))
CASE(compute_small, compute(&small))
CASE(encode_small, encode(&small, GRAD_ENCODING_JSON))

static void prepare(void)
{
    make_work(&normal, B, K, GRAD_FP32, some_normal);
    make_work(&any, B, K, GRAD_FP32, some_magnitude);
    make_work(&wide, B, K, GRAD_FP64, some_normal);
    make_work(&wide_any, B, K, GRAD_FP64, some_magnitude);
    make_work(&small, 1, 4, GRAD_FP32, some_normal);
    make_request_of_nine(&normal, &of_nine);
    make_request(&normal, GRAD_ENCODING_JSON, &shortest);
    make_request(&wide, GRAD_ENCODING_JSON, &wide_text);
    make_request(&normal, GRAD_ENCODING_BASE64, &base64);
    make_request(&normal, GRAD_ENCODING_BINARY, &binary);
    make_request(&small, GRAD_ENCODING_JSON, &small_body);
    compute(&normal);
    compute(&any);
    compute(&wide);
    compute(&wide_any);
}

int main(void)
{
#ifdef __x86_64__
    bool has_vectors = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    bool has_wider = __builtin_cpu_supports("avx512f");
    printf("%s\n", has_wider ? "AVX-512" : has_vectors ? "AVX2" : "neither");
#else
    printf("neither\n");
#endif
    prepare();
    case_read_float32_nine_digits();
    case_read_float32_shortest();
    case_read_float64();
    case_read_base64();
    case_read_binary();
    case_print_float32();
    case_print_float32_any_magnitude();
    case_print_float64();
    case_print_float64_any_magnitude();
    case_print_base64();
    case_print_binary();
    case_decode_small();
    case_compute_small();
    case_encode_small();
    return 0;
}
