/* Base64 a character at a time, numbers by their formulae: sign, exponent, fraction. */
#include "support/wire_bytes.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned char *wire_bytes_of(const char *base64, size_t *count)
{
    size_t length = strlen(base64), taken = 0;
    unsigned char *bytes = malloc(length + 1);
    uint32_t bits = 0;
    size_t held = 0;
    bool is_strict = length % 4 == 0;

    *count = 0;
    for (; base64[taken] != '\0' && base64[taken] != '='; taken++) {
        const char *letter = strchr(letters, base64[taken]);

        if (letter == NULL) {
            is_strict = false;
            break;
        }
        bits = bits << 6 | (uint32_t)(letter - letters);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[(*count)++] = (unsigned char)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    if (is_strict && bits == 0 && length - taken <= 2 &&
        strspn(base64 + taken, "=") + taken == length)
        return bytes;
    free(bytes);
    return NULL;
}

size_t wire_bytes_size(const char *datatype)
{
    return datatype == NULL                ? 0
           : strcmp(datatype, "FP64") == 0 ? 8
           : strcmp(datatype, "FP32") == 0 ? 4
           : strcmp(datatype, "FP16") == 0 ? 2
           : strcmp(datatype, "BF16") == 0 ? 2
                                           : 0;
}

/* A number of that many bits in fraction and exponent. */
static double number_of(uint64_t bits, int fraction_bits, int exponent_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    double fraction = (double)(bits & ((UINT64_C(1) << fraction_bits) - 1));
    double sign = (bits >> (fraction_bits + exponent_bits) & 1) != 0 ? -1 : 1;

    if (exponent == (1 << exponent_bits) - 1)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + ldexp(1, fraction_bits), exponent - bias - fraction_bits);
}

double wire_bytes_number(const char *datatype, const unsigned char *bytes)
{
    uint64_t bits = 0;

    for (size_t i = wire_bytes_size(datatype); i-- > 0;)
        bits = bits << 8 | bytes[i];
    if (strcmp(datatype, "FP64") == 0)
        return number_of(bits, 52, 11);
    if (strcmp(datatype, "FP32") == 0)
        return number_of(bits, 23, 8);
    return strcmp(datatype, "FP16") == 0 ? number_of(bits, 10, 5) : number_of(bits, 7, 8);
}

static bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && (signbit(a) != 0) == (signbit(b) != 0));
}

bool wire_bytes_are(grad_datatype type, const grad_tensor *tensor, const json_t *value)
{
    const char *datatype = json_string_value(json_object_get(value, "datatype"));
    size_t size = wire_bytes_size(datatype), count = 0;
    const json_t *base64 = json_object_get(value, "base64");
    unsigned char *bytes = wire_bytes_of(json_string_value(base64), &count);
    bool are_same = bytes != NULL && size > 0 && grad_tensor_count(tensor) * size == count;

    for (size_t i = 0; are_same && i < count / size; i++)
        are_same = same_number(grad_real_at(type, tensor->data, i),
                               wire_bytes_number(datatype, bytes + i * size));
    free(bytes);
    return are_same;
}

static bool is_as_long_as_it_says(const json_t *value, size_t count)
{
    const json_t *sizes = json_object_get(value, "sizes");
    const json_t *shape = sizes != NULL ? sizes : json_object_get(value, "shape");
    double bytes = (double)wire_bytes_size(json_string_value(json_object_get(value, "datatype")));

    if (json_is_number(shape))
        bytes *= json_number_value(shape);
    for (size_t i = 0; i < json_array_size(shape); i++)
        bytes *= json_number_value(json_array_get(shape, i));
    return bytes == (double)count;
}

static bool is_bad(const json_t *value)
{
    const char *base64 = json_string_value(json_object_get(value, "base64"));
    size_t count = 0;
    unsigned char *bytes;
    bool is_good;

    if (base64 == NULL)
        return false;
    bytes = wire_bytes_of(base64, &count);
    is_good = bytes != NULL && is_as_long_as_it_says(value, count);
    free(bytes);
    return !is_good;
}

bool wire_bytes_are_bad(const json_t *value)
{
    const char *key;
    const json_t *member;

    if (is_bad(value))
        return true;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (wire_bytes_are_bad(member))
            return true;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (wire_bytes_are_bad(json_array_get(value, i)))
            return true;
    return false;
}
