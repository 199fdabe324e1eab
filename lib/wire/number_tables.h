/* Constant tables of the number codec. */
#ifndef WIRE_NUMBER_TABLES_H
#define WIRE_NUMBER_TABLES_H

#include <stdint.h>

/* Below GRAD_POWER_MIN a number of 19 digits rounds to 0, above GRAD_POWER_MAX to infinity. */
enum { GRAD_POWER_MIN = -65, GRAD_POWER_MAX = 38 };

/* 10^e at [e - GRAD_POWER_MIN], the nearest doubles; one more behind GRAD_POWER_MAX. */
extern const double grad_power_of_ten[GRAD_POWER_MAX + 1 - GRAD_POWER_MIN + 1];

/* 32 times 0, then 32 times 0xFF: 16 bytes from any place are a mask of the last bytes. */
extern const uint8_t grad_last_bytes[64];

/* By exponent field of a finite float whose unit in the last place is u: the k with
 * 10^k <= u < 10^(k+1), and 2^60 u / 10^k, rounded up where it is no integer. */
extern const int8_t grad_print_exponent[255];
extern const uint64_t grad_print_scale[255];

/* The exponents of a printed float, "e-45" to "e38", not terminated. */
enum { GRAD_EXPONENT_MIN = -45, GRAD_EXPONENT_MAX = 38 };
extern const char grad_exponent_text[GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1][4];

extern const uint64_t grad_power_of_ten_exactly[17];

#endif
