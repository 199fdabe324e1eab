/* Numbers as bytes. Those of 16 bits are loops that a compiler makes vectors of; FP16 has
 * instructions of its own where the processor knows F16C. */
#include "codec/payload/binary.h"

#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/real.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(GRAD_PAYLOAD_PORTABLE)
#define GRAD_PAYLOAD_F16C 1
#include <immintrin.h>
#else
#define GRAD_PAYLOAD_F16C 0
#endif

/* ---- What there is --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t size;
    double largest; /* from half a unit beyond the largest number on it is an infinity */
} rows[GRAD_WIRE_DATATYPE_COUNT] = {
    [GRAD_WIRE_COMPUTED] = {"", 0, 0},
    [GRAD_WIRE_FP32] = {"FP32", 4, (double)FLT_MAX},
    [GRAD_WIRE_FP64] = {"FP64", 8, DBL_MAX},
    [GRAD_WIRE_FP16] = {"FP16", 2, 0x1.ffdffffffffffp+15},
    [GRAD_WIRE_BF16] = {"BF16", 2, 0x1.fefffffffffffp+127},
};

size_t grad_wire_datatype_size(grad_wire_datatype wire)
{
    return rows[wire].size;
}

const char *grad_wire_datatype_name(grad_wire_datatype wire)
{
    return rows[wire].name;
}

grad_wire_datatype grad_wire_datatype_find(const char *name, size_t length)
{
    for (size_t i = GRAD_WIRE_COMPUTED + 1; i < GRAD_WIRE_DATATYPE_COUNT; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return (grad_wire_datatype)i;
    return GRAD_WIRE_COMPUTED;
}

grad_wire_datatype grad_wire_datatype_of(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? GRAD_WIRE_FP64 : GRAD_WIRE_FP32;
}

bool grad_binary_is_exact(grad_wire_datatype wire, grad_datatype datatype)
{
    return wire != GRAD_WIRE_COMPUTED && (wire != GRAD_WIRE_FP64 || datatype == GRAD_FP64);
}

double grad_binary_largest(grad_wire_datatype wire)
{
    return rows[wire].largest;
}

/* ---- One number ------------------------------------------------------------------------------ */

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A subnormal half is its integer times 2^-24; the exponent of any other is moved by a product. */
static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t magnitude = half & 0x7FFFu;
    float value;

    if (magnitude > 0x7C00)
        return float_of(sign | 0x7FC00000u | magnitude << 13);
    value = magnitude == 0x7C00 ? INFINITY : float_of(magnitude << 13) * 0x1p+112f;
    return float_of(sign | bits_of(value));
}

/* The upper bits of an integer, the lower ones rounded off: to nearest, ties to even. */
static uint32_t round_off(uint32_t bits, unsigned count)
{
    return (bits + (1u << (count - 1)) - 1 + (bits >> count & 1)) >> count;
}

/* A sum with half a unit of the smallest normal half's rounds a subnormal one. */
static uint16_t half_of(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7FFFFFFF;

    if (magnitude > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x1FF));
    if (magnitude >= 0x477FF000)
        return sign | 0x7C00;
    if (magnitude < 0x38800000)
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3F000000));
    return (uint16_t)(sign | round_off(magnitude - 0x38000000, 13));
}

static uint16_t brain_of(float value)
{
    uint32_t bits = bits_of(value);

    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)round_off(bits, 16);
}

/* The float next to a double with an odd last bit where it is not the double itself, so that who
 * rounds it once more rounds as the double: Boldo and Melquiond, IEEE Transactions on Computers 57
 * (2008). */
static float float_to_odd(double value)
{
    float near = (float)value;

    if ((double)near == value || isnan(value) || (bits_of(near) & 1) != 0)
        return near;
    return float_of(fabs((double)near) > fabs(value) ? bits_of(near) - 1 : bits_of(near) + 1);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The loops go from the last number to the first: what a number is written over was read. */
static void widen_halves(void *block, size_t count)
{
    float *numbers = block;

    while (count-- > 0) {
        uint16_t half;

        memcpy(&half, (const char *)block + count * sizeof half, sizeof half);
        numbers[count] = float_of_half(le16toh(half));
    }
}

static void widen_brains(void *block, size_t count)
{
    float *numbers = block;

    while (count-- > 0) {
        uint16_t brain;

        memcpy(&brain, (const char *)block + count * sizeof brain, sizeof brain);
        numbers[count] = float_of((uint32_t)le16toh(brain) << 16);
    }
}

#if GRAD_PAYLOAD_F16C

/* The last numbers, eight at a time. Returns how many are left. */
/* Every processor with AVX2 has F16C; clang 14 has no name to ask for it by. */
#ifdef __clang__
#define HAS_F16C true
#else
#define HAS_F16C __builtin_cpu_supports("f16c")
#endif

__attribute__((target("avx2,f16c"))) static size_t widen_halves_fast(void *block, size_t count)
{
    for (; count >= 8; count -= 8) {
        const char *halves = (const char *)block + (count - 8) * sizeof(uint16_t);
        __m256 numbers = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)halves));

        _mm256_storeu_ps((float *)block + count - 8, numbers);
    }
    return count;
}

__attribute__((target("avx2"))) static size_t widen_brains_fast(void *block, size_t count)
{
    for (; count >= 8; count -= 8) {
        const char *brains = (const char *)block + (count - 8) * sizeof(uint16_t);
        __m128i narrow = _mm_loadu_si128((const __m128i *)(const void *)brains);
        __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16);

        _mm256_storeu_si256((__m256i *)(void *)((float *)block + count - 8), wide);
    }
    return count;
}

/* The first numbers. Returns how many are done. */
__attribute__((target("avx2,f16c"))) static size_t
narrow_halves_fast(const float *numbers, size_t count, unsigned char *bytes)
{
    size_t done = 0;

    for (; count - done >= 8; done += 8) {
        __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(numbers + done),
                                         _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);

        _mm_storeu_si128((__m128i *)(void *)(bytes + 2 * done), halves);
    }
    return done;
}

#endif

static void widen_to_float(grad_wire_datatype wire, void *block, size_t count)
{
#if GRAD_PAYLOAD_F16C
    if (wire == GRAD_WIRE_FP16 && __builtin_cpu_supports("avx2") && HAS_F16C)
        count = widen_halves_fast(block, count);
    else if (wire == GRAD_WIRE_BF16 && __builtin_cpu_supports("avx2"))
        count = widen_brains_fast(block, count);
#endif
    if (wire == GRAD_WIRE_FP16)
        widen_halves(block, count);
    else
        widen_brains(block, count);
}

/* Floats that are at the beginning of the block. */
static void widen_to_double(void *block, size_t count)
{
    double *numbers = block;

    while (count-- > 0) {
        float single;

        memcpy(&single, (const char *)block + count * sizeof single, sizeof single);
        numbers[count] = (double)single;
    }
}

/* The bytes of each number in the machine's order. */
static void order_bytes(void *block, size_t size, size_t count)
{
    if (BYTE_ORDER == LITTLE_ENDIAN)
        return;
    for (size_t i = 0; i < count; i++) {
        unsigned char *number = (unsigned char *)block + i * size;

        for (size_t j = 0; j < size / 2; j++) {
            unsigned char byte = number[j];

            number[j] = number[size - 1 - j];
            number[size - 1 - j] = byte;
        }
    }
}

void grad_binary_read(grad_wire_datatype wire, grad_datatype datatype, void *block, size_t count)
{
    switch (wire) {
    case GRAD_WIRE_FP32:
    case GRAD_WIRE_FP64:
        order_bytes(block, rows[wire].size, count);
        break;
    case GRAD_WIRE_FP16:
    case GRAD_WIRE_BF16:
        widen_to_float(wire, block, count);
        break;
    case GRAD_WIRE_COMPUTED:
        return;
    }
    if (datatype == GRAD_FP64 && wire != GRAD_WIRE_FP64)
        widen_to_double(block, count);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint16_t narrow(grad_wire_datatype wire, float value)
{
    return htole16(wire == GRAD_WIRE_FP16 ? half_of(value) : brain_of(value));
}

static void narrow_floats(grad_wire_datatype wire, const float *numbers, size_t count,
                          unsigned char *bytes)
{
    size_t done = 0;

#if GRAD_PAYLOAD_F16C
    if (wire == GRAD_WIRE_FP16 && __builtin_cpu_supports("avx2") && HAS_F16C)
        done = narrow_halves_fast(numbers, count, bytes);
#endif
    for (; done < count; done++) {
        uint16_t number = narrow(wire, numbers[done]);

        memcpy(bytes + 2 * done, &number, sizeof number);
    }
}

static void narrow_doubles(grad_wire_datatype wire, const double *numbers, size_t count,
                           unsigned char *bytes)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t number = narrow(wire, float_to_odd(numbers[i]));

        memcpy(bytes + 2 * i, &number, sizeof number);
    }
}

void grad_binary_write(grad_wire_datatype wire, grad_datatype datatype, const void *numbers,
                       size_t count, unsigned char *bytes)
{
    if (wire == GRAD_WIRE_FP16 || wire == GRAD_WIRE_BF16) {
        if (datatype == GRAD_FP64)
            narrow_doubles(wire, numbers, count, bytes);
        else
            narrow_floats(wire, numbers, count, bytes);
        return;
    }
    memcpy(bytes, numbers, count * grad_datatype_size(datatype));
    order_bytes(bytes, grad_datatype_size(datatype), count);
}
