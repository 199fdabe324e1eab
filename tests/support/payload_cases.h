/* The tests of bytes, for whichever compilation of them is included. */
#ifndef TESTS_SUPPORT_PAYLOAD_CASES_H
#define TESTS_SUPPORT_PAYLOAD_CASES_H

#include "codec/payload/base64.h"
#include "codec/payload/binary.h"
#include "support/random.h"
#include "support/wire_bytes.h"

enum { PAYLOAD_BYTES = 300 };

/* ---- Base64 ---------------------------------------------------------------------------------- */

static void test_base64_of_every_length(void **unused)
{
    random_state random = {3};

    (void)unused;
    for (size_t count = 0; count <= PAYLOAD_BYTES; count++) {
        unsigned char *bytes = malloc(count + 1), *naive;
        unsigned char decoded[PAYLOAD_BYTES + GRAD_BASE64_SLACK];
        char *text = malloc(grad_base64_length(count) + 1);
        size_t naive_count = 0, whole = count / 3 * 4;

        for (size_t i = 0; i < count; i++)
            bytes[i] = (unsigned char)random_bits(&random);
        assert_ptr_equal(grad_base64_encode(bytes, count, text), text + grad_base64_length(count));
        text[grad_base64_length(count)] = '\0';
        naive = wire_bytes_of(text, &naive_count);
        assert_non_null(naive);
        assert_int_equal(naive_count, count);
        assert_memory_equal(naive, bytes, count);
        assert_int_equal(grad_base64_decode(text, strlen(text), decoded), whole);
        assert_memory_equal(decoded, bytes, whole / 4 * 3);
        free(naive);
        free(text);
        free(bytes);
    }
}

static void test_wrong_characters(void **unused)
{
    enum { LENGTH = 100 };
    char text[LENGTH];
    unsigned char decoded[LENGTH];

    (void)unused;
    for (int c = 0; c < 256; c++) {
        bool is_letter = c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789+/",
                                          c) != NULL;

        assert_int_equal(grad_base64_value((char)c) >= 0, is_letter);
        for (size_t i = 0; i < LENGTH; i++) {
            memset(text, 'Q', LENGTH);
            text[i] = (char)c;
            assert_int_equal(grad_base64_decode(text, LENGTH, decoded),
                             is_letter ? LENGTH : i / 4 * 4);
        }
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool same_double(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && (signbit(a) != 0) == (signbit(b) != 0));
}

/* Every number of 16 bits, in arrays of every length up to 40. */
static void read_all(const char *name, grad_wire_datatype wire)
{
    enum { ALL = 65536 };
    unsigned char *bytes = malloc(2 * ALL);
    float *floats = malloc(ALL * sizeof *floats);
    double *doubles = malloc(ALL * sizeof *doubles);

    for (size_t i = 0; i < ALL; i++) {
        bytes[2 * i] = (unsigned char)i;
        bytes[2 * i + 1] = (unsigned char)(i >> 8);
    }
    for (size_t begin = 0, count = 0; begin < ALL; begin += count, count = (count + 1) % 41) {
        count = begin + count > ALL ? ALL - begin : count;
        memcpy(floats, bytes + 2 * begin, 2 * count);
        memcpy(doubles, bytes + 2 * begin, 2 * count);
        grad_binary_read(wire, GRAD_FP32, floats, count);
        grad_binary_read(wire, GRAD_FP64, doubles, count);
        for (size_t i = 0; i < count; i++) {
            double expected = wire_bytes_number(name, bytes + 2 * (begin + i));

            assert_true(same_double((double)floats[i], expected));
            assert_true(same_double(doubles[i], expected));
        }
    }
    free(bytes);
    free(floats);
    free(doubles);
}

static void test_reading(void **unused)
{
    (void)unused;
    read_all("FP16", GRAD_WIRE_FP16);
    read_all("BF16", GRAD_WIRE_BF16);
}

/* The number of that datatype next to value, ties to the even one: by halving an interval of its
 * bit patterns, which are in the order of the numbers. */
static uint16_t nearest(const char *name, double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0, low = 0;
    uint16_t high = strcmp(name, "FP16") == 0 ? 0x7C00 : 0x7F80;
    double magnitude = fabs(value), below, above, middle;

    while (high - low > 1) {
        uint16_t between = (uint16_t)((low + high) / 2);
        unsigned char bytes[2] = {(unsigned char)between, (unsigned char)(between >> 8)};

        if (wire_bytes_number(name, bytes) <= magnitude)
            low = between;
        else
            high = between;
    }
    below =
        wire_bytes_number(name, (unsigned char[2]){(unsigned char)low, (unsigned char)(low >> 8)});
    above = wire_bytes_number(
        name, (unsigned char[2]){(unsigned char)(low - 1), (unsigned char)((low - 1) >> 8)});
    middle =
        isinf(wire_bytes_number(
            name, (unsigned char[2]){(unsigned char)high, (unsigned char)(high >> 8)}))
            ? below + (below - above) / 2
            : (below + wire_bytes_number(name, (unsigned char[2]){(unsigned char)high,
                                                                  (unsigned char)(high >> 8)})) /
                  2;
    if (magnitude > middle || (magnitude == middle && low % 2 == 1))
        low = high;
    return (uint16_t)(sign | low);
}

static void expect_nearest(const char *name, grad_wire_datatype wire, double value)
{
    float floats[11];
    double doubles[11];
    unsigned char bytes[2 * 11];
    uint16_t of_float, of_double;

    for (size_t i = 0; i < 11; i++) {
        floats[i] = (float)value;
        doubles[i] = value;
    }
    of_float = nearest(name, (double)(float)value);
    of_double = nearest(name, value);
    grad_binary_write(wire, GRAD_FP32, floats, 11, bytes);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(bytes[2 * i] | bytes[2 * i + 1] << 8, of_float);
    grad_binary_write(wire, GRAD_FP64, doubles, 11, bytes);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(bytes[2 * i] | bytes[2 * i + 1] << 8, of_double);
    assert_int_equal(fabs(value) <= grad_binary_largest(wire),
                     (of_double & 0x7FFF) < (wire == GRAD_WIRE_FP16 ? 0x7C00 : 0x7F80));
}

/* What lies next to every number, half-way between two, and a little beside that. */
static void write_all(const char *name, grad_wire_datatype wire, uint16_t infinity)
{
    for (uint16_t i = 0; i < infinity; i++) {
        unsigned char bytes[2][2] = {{(unsigned char)i, (unsigned char)(i >> 8)},
                                     {(unsigned char)(i + 1), (unsigned char)((i + 1) >> 8)}};
        double here = wire_bytes_number(name, bytes[0]);
        double next = wire_bytes_number(name, bytes[1]);
        double middle = isfinite(next)           ? (here + next) / 2
                        : wire == GRAD_WIRE_FP16 ? 65520
                                                 : 0x1.ffp+127;

        expect_nearest(name, wire, here);
        expect_nearest(name, wire, middle);
        expect_nearest(name, wire, nextafter(middle, 0));
        expect_nearest(name, wire, -nextafter(middle, (double)INFINITY));
        expect_nearest(name, wire, (double)nextafterf((float)middle, INFINITY));
        expect_nearest(name, wire, (double)nextafterf((float)middle, 0));
    }
}

static void test_rounding(void **unused)
{
    (void)unused;
    write_all("FP16", GRAD_WIRE_FP16, 0x7C00);
    write_all("BF16", GRAD_WIRE_BF16, 0x7F80);
}

static void test_not_finite(void **unused)
{
    const float values[3] = {INFINITY, -INFINITY, NAN};
    const uint16_t infinities[2] = {0x7C00, 0x7F80};
    unsigned char bytes[6];

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        grad_binary_write(i == 0 ? GRAD_WIRE_FP16 : GRAD_WIRE_BF16, GRAD_FP32, values, 3, bytes);
        assert_int_equal(bytes[0] | bytes[1] << 8, infinities[i]);
        assert_int_equal(bytes[2] | bytes[3] << 8, infinities[i] | 0x8000);
        assert_true(isnan(wire_bytes_number(i == 0 ? "FP16" : "BF16", bytes + 4)));
    }
}

static void test_names(void **unused)
{
    (void)unused;
    for (size_t i = 1; i < GRAD_WIRE_DATATYPE_COUNT; i++) {
        const char *name = grad_wire_datatype_name((grad_wire_datatype)i);

        assert_int_equal(grad_wire_datatype_find(name, 4), i);
        assert_int_equal(grad_wire_datatype_find(name, 3), GRAD_WIRE_COMPUTED);
        assert_int_equal(grad_wire_datatype_size((grad_wire_datatype)i), wire_bytes_size(name));
    }
    assert_int_equal(grad_wire_datatype_find("FP8", 3), GRAD_WIRE_COMPUTED);
    assert_false(grad_binary_is_exact(GRAD_WIRE_FP64, GRAD_FP32));
    assert_true(grad_binary_is_exact(GRAD_WIRE_FP32, GRAD_FP64));
}

static int run_payload_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_of_every_length),
        cmocka_unit_test(test_wrong_characters),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
