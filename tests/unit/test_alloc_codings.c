/* The codings of bodies: without memory at any allocation, cut into pieces of every size, and what
 * they say that they hold against what was allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "body/body.h"
#include "support/between.h"
#include "support/failing_alloc.h"

#define TEXT_SIZE 20000

typedef struct sample {
    const body_filter *filter;
    size_t length;
    char bytes[TEXT_SIZE];
} sample;

static sample samples[4];
static char text[TEXT_SIZE + 1];

/* A document of one layer, with digits that are compressed as random ones are. */
static void make_text(void)
{
    uint32_t x = 1;
    int length = snprintf(text, sizeof text, "{\"layers\":[{\"activation\":\"relu\",\"input\":[0");
    while (length < TEXT_SIZE - 100) {
        x = x * 1664525 + 1013904223;
        length += snprintf(text + length, sizeof text - (size_t)length, ",0.%u", x);
    }
    snprintf(text + length, sizeof text - (size_t)length,
             "],\"pre_activation\":[1],\"grad_output\":[1]}]}");
}

static void deflate_text(sample *s, const body_filter *filter, int window_bits)
{
    z_stream z = {.next_in = (unsigned char *)text, .avail_in = (unsigned)strlen(text)};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = (unsigned char *)s->bytes;
    z.avail_out = sizeof s->bytes;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    s->filter = filter;
    s->length = z.total_out;
    deflateEnd(&z);
}

static int make_samples(void **state)
{
    (void)state;
    make_text();
    samples[0].filter = &body_filter_identity;
    samples[0].length = strlen(text);
    memcpy(samples[0].bytes, text, strlen(text));
    deflate_text(&samples[1], &body_filter_gzip, 15 + 16);
    deflate_text(&samples[2], &body_filter_deflate, 15);
    samples[3].filter = &body_filter_zstd;
    samples[3].length =
        ZSTD_compress(samples[3].bytes, sizeof samples[3].bytes, text, strlen(text), 3);
    assert_false(ZSTD_isError(samples[3].length));
    return 0;
}

static grad_status read_sample(const sample *s, size_t piece, body **b, grad_error *error)
{
    const body_options options = {.limits = GRAD_WIRE_LIMITS_INIT, .max_body = SIZE_MAX};
    grad_batch *batch;
    grad_status status = body_create(s->filter, &payload_json, &options, b, error);
    for (size_t at = 0; at < s->length && status == GRAD_OK; at += piece) {
        size_t rest = s->length - at;
        status = body_push(*b, s->bytes + at, rest < piece ? rest : piece, error);
    }
    return status == GRAD_OK ? body_read_batch(*b, GRAD_REQUEST_GRADIENTS, &batch, error) : status;
}

static void test_every_size_of_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t piece = 1; piece < 300; piece++) {
            body *b = NULL;
            assert_int_equal(read_sample(&samples[i], piece, &b, NULL), GRAD_OK);
            assert_int_equal(body_decoded(b), strlen(text));
            body_destroy(b);
        }
    }
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t n = 1;; n++) {
            grad_error error = GRAD_ERROR_INIT;
            body *b = NULL;
            failing_alloc_arm(n);
            grad_status status = read_sample(&samples[i], 500, &b, &error);
            if (!failing_alloc_disarm()) {
                assert_int_equal(status, GRAD_OK);
                assert_true(n > 5);
                body_destroy(b);
                break;
            }
            assert_int_equal(status, GRAD_OUT_OF_MEMORY);
            assert_string_equal(error.code, "out_of_memory");
            body_destroy(b);
            assert_int_equal(failing_alloc_live(), 0);
        }
    }
}

static bool never(void *context)
{
    (*(size_t *)context)++;
    return false;
}

/* Asked once, at the first piece that comes out; after that nothing more is read. */
static void test_a_body_that_may_not_grow(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof samples / sizeof *samples; i++) {
        size_t asked = 0;
        const body_options options = {.limits = GRAD_WIRE_LIMITS_INIT,
                                      .max_body = SIZE_MAX,
                                      .may_grow = never,
                                      .context = &asked};
        body *b = NULL;
        assert_int_equal(body_create(samples[i].filter, &payload_json, &options, &b, NULL),
                         GRAD_OK);
        assert_int_equal(body_push(b, samples[i].bytes, samples[i].length, NULL),
                         GRAD_OUT_OF_MEMORY);
        assert_int_equal(asked, 1);
        assert_between(body_decoded(b), 1, strlen(text) / 2);
        body_destroy(b);
    }
}

/* What zlib asks for goes through here; what a filter says is no less. */
static void test_memory_is_told(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        body *b = NULL;
        size_t before = failing_alloc_bytes();
        const body_options options = {.limits = GRAD_WIRE_LIMITS_INIT, .max_body = SIZE_MAX};
        assert_int_equal(body_create(samples[i].filter, &payload_json, &options, &b, NULL),
                         GRAD_OK);
        assert_int_equal(body_push(b, samples[i].bytes, samples[i].length, NULL), GRAD_OK);
        assert_between(body_memory(b), 32 << 10, failing_alloc_bytes() - before);
        body_destroy(b);
    }
}

static const body_compressor *const compressors[] = {&body_compressor_zstd, &body_compressor_gzip,
                                                     &body_compressor_deflate};

/* The text in two pieces; GRAD_OUT_OF_MEMORY, and nothing in out, where there is none. */
static grad_status compress_text(const body_compressor *compressor, grad_text *out)
{
    size_t length = strlen(text);
    void *state;
    grad_text_init(out, SIZE_MAX);
    grad_status status = compressor->create(length, &state, NULL);
    if (status != GRAD_OK)
        return status;
    compressor->push(state, text, length / 3, false, out);
    compressor->push(state, text + length / 3, length - length / 3, true, out);
    compressor->destroy(state);
    return grad_text_status(out, NULL);
}

/* What was put on comes off. */
static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof compressors / sizeof *compressors; i++) {
        const body_filter *const filters[] = {&body_filter_zstd, &body_filter_gzip,
                                              &body_filter_deflate};
        grad_text out;
        sample s = {.filter = filters[i]};
        body *b = NULL;
        assert_int_equal(compress_text(compressors[i], &out), GRAD_OK);
        s.length = out.length;
        assert_true(out.length < strlen(text) * 6 / 10);
        memcpy(s.bytes, out.data, out.length);
        assert_int_equal(read_sample(&s, 100, &b, NULL), GRAD_OK);
        assert_int_equal(body_decoded(b), strlen(text));
        body_destroy(b);
        grad_text_free(&out);
    }
}

static void test_every_allocation_of_a_compressor_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof compressors / sizeof *compressors; i++) {
        for (size_t n = 1;; n++) {
            grad_text out;
            failing_alloc_arm(n);
            grad_status status = compress_text(compressors[i], &out);
            bool failed = failing_alloc_disarm();
            grad_text_free(&out);
            assert_int_equal(failing_alloc_live(), 0);
            assert_int_equal(status, failed ? GRAD_OUT_OF_MEMORY : GRAD_OK);
            assert_true(failing_alloc_peak() < compressors[i]->memory + 2 * strlen(text));
            if (!failed)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_of_pieces),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_body_that_may_not_grow),
        cmocka_unit_test(test_memory_is_told),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_every_allocation_of_a_compressor_may_fail),
    };
    return cmocka_run_group_tests(tests, make_samples, NULL);
}
