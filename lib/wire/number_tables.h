/* Powers of ten for reading and writing numbers. The tables are generated; how they are used is said
 * in number_read.c and number_write.c. */
#ifndef GRADIENT_WIRE_NUMBER_TABLES_H
#define GRADIENT_WIRE_NUMBER_TABLES_H

#include <stdint.h>

#define GRAD_READ_POWER_MIN (-65)
#define GRAD_READ_POWER_MAX 38
#define GRAD_WRITE_POWER_MIN (-31)
#define GRAD_WRITE_POWER_MAX 46

/* 10^q as 128-bit significands with the top bit set, {high, low}, from GRAD_READ_POWER_MIN on:
 * cut off, but for -27 <= q < 0 the next above, so that ties of short numbers come out exact. */
extern const uint64_t grad_read_powers[][2];

/* 10^k as 64-bit significands, floor + 1, from GRAD_WRITE_POWER_MIN on. */
extern const uint64_t grad_write_powers[];

#endif
