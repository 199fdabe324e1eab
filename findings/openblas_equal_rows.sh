#!/bin/sh
# OpenBLAS: equal rows of one product are different numbers, by their place and the batch's size
# Versions: 0.3.21, 0.3.29, 0.3.34 (Debian 12, 13, testing: libopenblas0-pthread), one thread,
# the kernels of Haswell (Zen's are the same); those of Nehalem and Sandybridge show nothing of
# it here.
# One would guess: for a K this small, a row of x W is the same whatever rows are sent with it.
# Seen, where every row of x is 16 ones and every column of W is 2^24 and 15 ones (so that adding
# the ones one by one loses all 15, and adding half of them in a second sum keeps 8): with 32
# columns, a batch of 1, 2 or 3 is 2^24 everywhere, one of 4 is 2^24 + 8; of 5 equal rows four
# are 2^24 + 8 and the fifth 2^24; of 12, the first six. Columns count as well: of 16 rows and 8
# columns the last four rows have the 8, of 16 and 6 none.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libopenblas0-pthread 0.3.21 0.3.29 0.3.34
{ grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; } ||
    skip "the CPU has not what the kernels of Haswell need"
cat >rows.c <<'C'
#include <stdio.h>

enum { K = 16, MOST = 32, ROW_MAJOR = 101, AS_IT_IS = 111 };

char *openblas_get_corename(void);
void cblas_sgemm(int order, int of_a, int of_b, int m, int n, int k, float alpha, const float *a,
                 int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* How much each row of y = x W (its first element) is above 2^24. */
static void show(int m, int n)
{
    static float x[MOST * K];
    static float w[K * MOST];
    static float y[MOST * MOST];
    for (int i = 0; i < m * K; i++) {
        x[i] = 1;
    }
    for (int i = 0; i < K * n; i++) {
        w[i] = i < n ? 0x1p24F : 1;
    }
    cblas_sgemm(ROW_MAJOR, AS_IT_IS, AS_IT_IS, m, n, K, 1, x, K, w, n, 0, y, n);
    printf("%d x %d:", m, n);
    for (int row = 0; row < m; row++) {
        printf(" %g", y[row * n] - 0x1p24F);
    }
    puts("");
}

int main(void)
{
    puts(openblas_get_corename());
    for (int m = 1; m <= 6; m++) {
        show(m, 32);
    }
    show(12, 32);
    show(16, 8);
    show(16, 6);
    return 0;
}
C
FLAVOUR=/usr/lib/$(gcc -print-multiarch)/openblas-pthread
compile rows "$FLAVOUR/libopenblas.so.0" "-Wl,-rpath,$FLAVOUR"
seen=$(OPENBLAS_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell ./rows)
verdict 'Haswell
1 x 32: 0
2 x 32: 0 0
3 x 32: 0 0 0
4 x 32: 8 8 8 8
5 x 32: 8 8 8 8 0
6 x 32: 8 8 8 8 0 0
12 x 32: 8 8 8 8 8 8 0 0 0 0 0 0
16 x 8: 0 0 0 0 0 0 0 0 0 0 0 0 8 8 8 8
16 x 6: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0' "$seen" \
    "OpenBLAS $found, Haswell: five equal rows of one product are 8 8 8 8 0 above 2^24"
