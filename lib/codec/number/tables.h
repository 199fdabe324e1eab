/* Constant tables of the number codec. */
#ifndef GRAD_CODEC_NUMBER_TABLES_H
#define GRAD_CODEC_NUMBER_TABLES_H

#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(hidden) /* or each access goes through a table of addresses */
#endif

/* Below GRAD_POWER_MIN a number of 19 digits rounds to 0, above GRAD_POWER_MAX to infinity. */
enum { GRAD_POWER_MIN = -65, GRAD_POWER_MAX = 38 };

/* 10^e at [e - GRAD_POWER_MIN], the nearest doubles; one more behind GRAD_POWER_MAX. */
extern const double grad_power_of_ten[GRAD_POWER_MAX + 1 - GRAD_POWER_MIN + 1];

/* 32 times 0, then 32 times 0xFF: 16 bytes from any place are a mask of the last bytes. */
extern const uint8_t grad_last_bytes[64];

/* Factors for eight lanes of 16 bits: 1 + 2^8 10; 2^19/100, rounded up; 100; 2^16/10, rounded up;
 * 1 - 2^8 10. In memory rather than in the code, where the compiler would take them apart into
 * shifts and additions, which are slower. */
typedef struct grad_lanes {
    _Alignas(16) uint16_t pair[8], hundredth[8], hundred[8], tenth[8], digits_of_ten[8];
} grad_lanes;

extern const grad_lanes grad_lane_factors;

/* By exponent field of a finite float whose unit in the last place is u: the k with
 * 10^k <= u < 10^(k+1), and 2^60 u / 10^k, rounded up where it is no integer. */
extern const int8_t grad_print_exponent[255];
extern const uint64_t grad_print_scale[255];

/* The exponents of a printed float, "e-45" to "e38", not terminated. */
enum { GRAD_EXPONENT_MIN = -45, GRAD_EXPONENT_MAX = 38 };
extern const char grad_exponent_text[GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1][4];

/* How digits d.ddd * 10^exponent are laid out among 12 and more zeros, at
 * [exponent - GRAD_EXPONENT_MIN]. */
typedef struct grad_layout {
    int8_t zeros;      /* to put in front */
    int8_t point;      /* digits before the point, zeros in front counted */
    int8_t scientific; /* scientific notation is shorter up to that many digits, zeros counted */
    int8_t exponent_length; /* of "e-45" */
} grad_layout;

extern const grad_layout grad_layouts[GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1];

/* What to multiply a number by to get its first digits when a zero is put behind it [index] times
 * and it is seen as one of 12 digits: 2^56 10^(index - 8) and 2^56 10^(index - 4), rounded up, and
 * 10^index. */
typedef struct grad_splitter {
    uint64_t first_four, first_eight, all_twelve;
} grad_splitter;

extern const grad_splitter grad_splitters[6];

/* Of grad_print_scale the upper 56 bits, and in the last byte the exponent of the first digit where
 * there are nine, less GRAD_EXPONENT_MIN. */
extern const uint64_t grad_block_scale[255];

/* How a number is written whose digits, at most nine, a point and a zero are 16 bytes: what comes
 * behind the mantissa (exponent and comma), then which of the shuffles makes the mantissa, its
 * length, and the length of all. At [9 (exponent - GRAD_EXPONENT_MIN) + digits - 1]; behind those
 * are 0, and -0 without its sign. */
enum {
    GRAD_BLOCK_ROW_ZERO = 9 * (GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1),
    GRAD_ROW_SHUFFLE = 5,
    GRAD_ROW_MANTISSA,
    GRAD_ROW_LENGTH
};
extern const uint8_t grad_block_rows[GRAD_BLOCK_ROW_ZERO + 2][8];
extern const uint8_t grad_block_shuffles[][16];

/* The exponents of a printed double, "e-324" to "e+308", and behind each, last of 8 bytes, its
 * length. */
enum { GRAD_DOUBLE_EXPONENT_MIN = -324, GRAD_DOUBLE_EXPONENT_MAX = 308 };
extern const char grad_double_exponent_text[GRAD_DOUBLE_EXPONENT_MAX - GRAD_DOUBLE_EXPONENT_MIN + 1]
                                           [8];

/* The first 128 bits of 10^e at [e - GRAD_WIDE_POWER_MIN], the highest of them set, the rest cut
 * off: 10^e is at least (high 2^64 + low) 2^(floor(log2(10^e)) - 127), and less than one more. */
typedef struct grad_wide_power {
    uint64_t high, low;
} grad_wide_power;

enum { GRAD_WIDE_POWER_MIN = -342, GRAD_WIDE_POWER_MAX = 340 };
extern const grad_wide_power grad_wide_powers[GRAD_WIDE_POWER_MAX - GRAD_WIDE_POWER_MIN + 1];

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
