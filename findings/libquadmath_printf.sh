#!/bin/sh
# libquadmath: printf is slower in every program that loads it, as those with OpenBLAS do
# Versions: 12.2.0, 14.2.0, 16.2.0 (Debian 12, 13, testing: libquadmath0; glibc 2.36, 2.41, 2.43),
# x86-64.
# One would guess: a library of 128-bit arithmetic that is loaded and never called costs nothing.
# Seen: snprintf of "%d %s" takes 1.4 to 2.5 times as long.
# When it is loaded libquadmath registers a modifier of its own for printf (__float128's Q), and
# glibc, once anything is registered, leaves its quick path for good: every format is parsed whole
# and collected before anything is printed. libopenblas0 brings it along by libgfortran. Who prints
# much beside a BLAS prints by hand; there is nothing to unregister with.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libquadmath0 12.2.0 14.2.0 16.2.0
cat >print.c <<'C'
#include <stdio.h>
#include <time.h>

/* The least of some rounds, in nanoseconds a call. */
int main(void)
{
    double least = 1e9;

    for (int round = 0; round < 15; round++) {
        char text[64];
        struct timespec begin, end;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        for (int i = 0; i < 200000; i++) {
            snprintf(text, sizeof text, "%d %s", i, "x");
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        double seconds = (double)(end.tv_sec - begin.tv_sec) +
                         1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        least = seconds < least ? seconds : least;
    }
    printf("%.1f\n", least / 200000 * 1e9);
    return 0;
}
C
compile print -O2
library=$(ldconfig -p | sed -n 's/.*libquadmath\.so\.0 .*=> //p' | head -n 1)
registers=$(grep -c -a register_printf_modifier "$library" || true)
alone=$(./print)
beside=$(LD_PRELOAD=$library ./print)
echo "$alone ns a call alone, $beside ns beside libquadmath"
slower=$(awk "BEGIN { print ($beside > 1.2 * $alone) }")
[ "$registers" = 0 ] || registers=some
verdict "registers some slower 1" "registers $registers slower $slower" \
    "libquadmath $found: loaded and never called, it makes snprintf slower by a fifth or more"
