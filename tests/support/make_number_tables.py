#!/usr/bin/python3
"""Prints the tables of lib/codec/number. Exact: integers and fractions only.

In lib/codec/number, with make_number_tables.py from here:

    make_number_tables.py | clang-format-14 > tables.c
    make_number_tables.py powers | clang-format-14 > powers.c
    make_number_tables.py blocks | clang-format-14 > write_block_tables.c
"""

import sys

from fractions import Fraction

POWER_MIN, POWER_MAX = -65, 39
SCALE_BITS = 60
EXPONENT_MIN, EXPONENT_MAX = -45, 38
DIGITS_MAX = 9
DOUBLE_EXPONENT_MIN, DOUBLE_EXPONENT_MAX = -324, 308
WIDE_POWER_MIN, WIDE_POWER_MAX = -342, 340

HEAD = """\
/* Made by tests/support/make_number_tables.py; change that, not this. What the tables hold is said
 * in tables.h. */
#include "codec/number/tables.h"
"""


def power(base, exponent):
    return Fraction(base) ** exponent


def floor_log10(value):
    exponent = 0
    while power(10, exponent) > value:
        exponent -= 1
    while power(10, exponent + 1) <= value:
        exponent += 1
    return exponent


def floor_log2(value):
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if power(2, exponent) <= value else exponent - 1


def rows(items, per_line):
    for i in range(0, len(items), per_line):
        yield "    " + " ".join(item + "," for item in items[i:i + per_line])


def table(declaration, items, per_line):
    return "\n%s = {\n%s};" % (declaration, "\n".join(rows(items, per_line))[:-1])


def unit_of(field):
    """The unit in the last place of the floats with that exponent field."""
    return power(2, max(field, 1) - 150)


def ceiling(value):
    return -(-value.numerator // value.denominator)


def splitter_of(shift):
    return (ceiling(power(10, shift - 8) * 2 ** 56), ceiling(power(10, shift - 4) * 2 ** 56),
            10 ** shift)


def scale_of(field):
    """2^60 units over 10^floor(log10(unit)), rounded up."""
    unit = unit_of(field)
    return ceiling(unit / power(10, floor_log10(unit)) * 2 ** SCALE_BITS)


def plain_length(count, exponent):
    """Characters of 0.00ddd, dd.ddd or ddd000."""
    if exponent < 0:
        return count + 1 - exponent
    return exponent + 1 if count <= exponent + 1 else count + 1


def scientific_length(count, exponent):
    return count + (count > 1) + len("e%d" % exponent)


def layout_of(exponent):
    """A grad_layout of tables.h: {0, 1, 16, …} where no plain notation is used."""
    zeros, point = max(0, -exponent), max(1, exponent + 1)
    shorter = [count for count in range(1, DIGITS_MAX + 1)
               if scientific_length(count, exponent) < plain_length(count, exponent)]
    assert shorter == list(range(1, len(shorter) + 1))
    if len(shorter) == DIGITS_MAX:
        return 0, 1, 16, len("e%d" % exponent)
    assert zeros + DIGITS_MAX <= 12 and point < 16
    scientific = zeros + len(shorter) if shorter else 0
    return zeros, point, scientific, len("e%d" % exponent)


POINT, ZERO = 9, 10  # behind the digits


def shuffle_of(exponent, count):
    """Which byte of digits, point and zero goes where, in the notation that is used; the tail."""
    digits = list(range(count))
    if scientific_length(count, exponent) < plain_length(count, exponent):
        return digits[:1] + [POINT] * (count > 1) + digits[1:], "e%d," % exponent
    if exponent < 0:
        return [ZERO, POINT] + [ZERO] * (-exponent - 1) + digits, ","
    digits += [ZERO] * (exponent + 1 - count)
    behind = digits[exponent + 1:]
    return digits[:exponent + 1] + [POINT] * bool(behind) + behind, ","


def print_blocks():
    """grad_block_rows and the shuffles they need."""
    shuffles, records = [], []
    texts = [shuffle_of(e, count) for e in range(EXPONENT_MIN, EXPONENT_MAX + 1)
             for count in range(1, DIGITS_MAX + 1)]
    for shuffle, tail in texts + [([ZERO], ","), ([ZERO, POINT, ZERO], ",")]:
        if shuffle not in shuffles:
            shuffles.append(shuffle)
        assert len(shuffle) + len(tail) <= 15 and len(tail) <= 5
        bytes_of_tail = ["'%s'" % c for c in tail] + ["0"] * (5 - len(tail))
        records.append("{%s, %d, %d, %d}" % (", ".join(bytes_of_tail), shuffles.index(shuffle),
                                             len(shuffle), len(shuffle) + len(tail)))
    print(table("const uint8_t grad_block_rows[GRAD_BLOCK_ROW_ZERO + 2][8]", records, 4))
    print(table("const uint8_t grad_block_shuffles[][16]",
                ["{%s}" % ", ".join(map(str, shuffle)) for shuffle in shuffles], 1))
    print(table("const uint64_t grad_block_scale[255]",
                ["0x%016X" % (scale_of(f) & -256 | floor_log10(unit_of(f)) + 8 - EXPONENT_MIN)
                 for f in range(255)], 4))


def wide_power(exponent):
    """The first 128 bits of 10^exponent, high and low half."""
    value = power(10, exponent)
    shift = 127 - floor_log2(value)
    bits = int(value * power(2, shift))
    assert 2 ** 127 <= bits < 2 ** 128 and (bits + 1) % 2 ** 64 != 0
    return bits >> 64, bits % 2 ** 64


def print_powers():
    print(HEAD, end="")
    print(table("const grad_wide_power grad_wide_powers[GRAD_WIDE_POWER_MAX - GRAD_WIDE_POWER_MIN "
                "+ 1]",
                ["{0x%016X, 0x%016X}" % wide_power(e)
                 for e in range(WIDE_POWER_MIN, WIDE_POWER_MAX + 1)], 2))
    print(table("const char grad_double_exponent_text[GRAD_DOUBLE_EXPONENT_MAX - "
                "GRAD_DOUBLE_EXPONENT_MIN + 1][8]",
                ["{%s}" % ", ".join(["'%s'" % c for c in "e%+03d" % e] +
                                    ["0"] * (7 - len("e%+03d" % e)) + ["%d" % len("e%+03d" % e)])
                 for e in range(DOUBLE_EXPONENT_MIN, DOUBLE_EXPONENT_MAX + 1)], 2))


def print_tables():
    fields = range(255)
    print(HEAD, end="")
    print(table("const double grad_power_of_ten[GRAD_POWER_MAX + 1 - GRAD_POWER_MIN + 1]",
                ["1e%d" % e for e in range(POWER_MIN, POWER_MAX + 1)], 12))
    print(table("const uint8_t grad_last_bytes[64]", ["0"] * 32 + ["0xFF"] * 32, 16))
    print(table("const uint64_t grad_print_scale[255]",
                ["0x%016X" % scale_of(f) for f in fields], 4))
    print(table("const char grad_exponent_text[GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1][4]",
                ["{%s}" % ", ".join("'%s'" % c for c in "e%d" % e)
                 for e in range(EXPONENT_MIN, EXPONENT_MAX + 1)], 4))
    print(table("const grad_layout grad_layouts[GRAD_EXPONENT_MAX - GRAD_EXPONENT_MIN + 1]",
                ["{%d, %d, %d, %d}" % layout_of(e)
                 for e in range(EXPONENT_MIN, EXPONENT_MAX + 1)], 6))
    print(table("const grad_lanes grad_lane_factors",
                ["{%s}" % ", ".join(["0x%04X" % (factor & 0xFFFF)] * 8)
                 for factor in (1 + (10 << 8), 5243, 100, 6554, 1 - (10 << 8))], 1))
    print(table("const grad_splitter grad_splitters[6]",
                ["{0x%X, 0x%X, %d}" % splitter_of(shift) for shift in range(6)], 1))
    print(table("const int8_t grad_print_exponent[255]",
                ["%d" % floor_log10(unit_of(f)) for f in fields], 16))


if __name__ == "__main__":
    if sys.argv[1:] == ["powers"]:
        print_powers()
    elif sys.argv[1:] == ["blocks"]:
        print(HEAD, end="")
        print_blocks()
    else:
        print_tables()
