#!/bin/sh
# callgrind: a pattern of functions that one option has is lost on another, without a word
# Versions: valgrind 3.19.0, 3.24.0, 3.27.1 (Debian 12, 13, testing).
# Guessed: --toggle-collect=work_* counts inside those functions, and --dump-after=work_* writes a
# file of what each has counted; together they do both, as they do where both name work_a.
# Seen: with the same pattern only the option that comes first works: no file is written, or, in the
# other order, files of zeros. A pattern behind the exact name that it matches is lost too; another
# spelling of the pattern (*ork_*) works. So name each function.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package valgrind 1:3.19.0 1:3.24.0 1:3.27.1
cat >work.c <<'C'
__attribute__((noinline)) int work_a(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += i * i;
    return sum;
}
int main(int count, char **words)
{
    (void)words;
    return work_a(count * 10) & 1;
}
C
compile work -g -O1

# Files beside the last one, and whether any of them has a count.
seen() {
    rm -f out*
    valgrind -q --tool=callgrind --callgrind-out-file=out "$@" ./work >valgrind.log 2>&1 || true
    files=$(find . -name 'out.*' | wc -l)
    counted=no
    if grep -hq '^totals: [1-9]' out*; then
        counted=yes
    fi
    echo "$files $counted"
}

verdict '1 yes
0 yes
1 no
0 yes
1 yes' "$(
    seen --toggle-collect=work_a --dump-after=work_a
    seen '--toggle-collect=work_*' '--dump-after=work_*'
    seen '--dump-after=work_*' '--toggle-collect=work_*'
    seen --toggle-collect=work_a '--dump-after=work_*'
    seen '--toggle-collect=work_*' '--dump-after=*ork_*'
)" "valgrind ${found#1:}: a pattern that a second option repeats is lost"
