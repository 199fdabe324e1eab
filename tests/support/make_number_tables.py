#!/usr/bin/python3
"""Prints lib/wire/number_tables.c: the powers of ten of the number codec, from Python's integers.
What the tables mean is said in lib/wire/number_tables.h."""

READ_FIRST, READ_LAST = -65, 38
WRITE_FIRST, WRITE_LAST = -31, 46


def read_power(q):
    """10^q in 128 bits, the top bit set: cut off for q >= 0; for q < 0 the reciprocal of 5^-q, made
    the next above where ties can be (q >= -27: then 5^-q fits 64 bits), else cut off."""
    power = 5 ** abs(q)
    bits = power.bit_length()
    if q >= 0:
        return power << (128 - bits) if bits <= 128 else power >> (bits - 128)
    c = 2 ** (bits + 127) // power
    return c + 1 if q >= -27 else c


def write_power(k):
    """The least 64-bit g above 10^k 2^-r, top bit set: floor + 1."""
    power = 10 ** abs(k)
    bits = power.bit_length()
    if k >= 0:
        g = power << (64 - bits) if bits <= 64 else power >> (bits - 64)
    else:
        g = 2 ** (bits + 63) // power
        if g >= 1 << 64:
            g >>= 1
    assert 1 << 63 <= g < 1 << 64
    return g + 1


def main():
    print("/* Written by tests/support/make_number_tables.py; number_tables.h says what it holds. */")
    print('#include "wire/number_tables.h"\n')
    print("const uint64_t grad_read_powers[][2] = {")
    for q in range(READ_FIRST, READ_LAST + 1):
        c = read_power(q)
        print("    {0x%016xu, 0x%016xu}, /* %d */" % (c >> 64, c & (2 ** 64 - 1), q))
    print("};\n")
    print("const uint64_t grad_write_powers[] = {")
    for k in range(WRITE_FIRST, WRITE_LAST + 1):
        print("    0x%016xu, /* %d */" % (write_power(k), k))
    print("};")


if __name__ == "__main__":
    main()
