#!/bin/sh
# Octave: jsonencode makes 0 of numbers below 2.2e-16, and -2^63 of those above 2^63 since 11
# Versions: Octave 7.3, 9.4, 11.3 (Debian 12, 13, testing).
# Guessed: every finite double is written so that it reads back; 15 digits at worst.
# Seen: a number within 2.2e-16 of an integer is written as that integer, so that 1.5e-16, 1e-20 and
# 1e-300 are 0 (of negative ones in 11.3 only), which vanishing gradients are. 11.3 writes 1e19,
# -1e22 and 1e300 all as -9223372036854775808. A batch of one is lost on the way: [[1,2]] and
# [[1],[2]] are [1,2] after jsondecode and jsonencode, and a 0 by 3 matrix is []. 7.3 and 9.4
# refuse a scalar of type single ("unsupported type") and take arrays of it. NaN and the infinities
# are null.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package octave 7.3 9.4 11.3
cat >run.m <<'M'
printf("%s\n", jsonencode([1.5e-16 1e-20 1e-300 2.5e-16]), jsonencode([-1e-20 0.5]));
printf("%s\n", jsonencode([1e19 0.5]), jsonencode([-1e22 0.5]), jsonencode([1e300 0.5]));
for text = {"[[1,2]]", "[[1],[2]]", "[[[1],[2]],[[3],[4]]]", "[[1,2],[3,4]]"}
  printf("%s\n", jsonencode(jsondecode(text{1})));
end
printf("%s\n", jsonencode(zeros(0, 3)), jsonencode([NaN 1 -Inf]), jsonencode(single([0.1 0.5])));
try
  printf("%s\n", jsonencode(single(0.1)));
catch failure
  printf("%s\n", failure.message);
end
M
negative='[-1e-20,0.5]'
large='[10000000000000000000.0,0.5]
[-1e22,0.5]
[1e300,0.5]'
scalar='jsonencode: unsupported type'
case $found in
11.3)
    scalar='0.10000000149011612'
    negative='[0,0.5]'
    large='[-9223372036854775808,0.5]
[-9223372036854775808,0.5]
[-9223372036854775808,0.5]'
    ;;
esac
verdict "[0,0,0,2.5e-16]
$negative
$large
[1,2]
[1,2]
[[1,2],[3,4]]
[[1,2],[3,4]]
[]
[null,1,null]
[0.10000000149011612,0.5]
$scalar" "$(octave-cli --quiet --norc run.m 2>run.log)" \
    "Octave $found: jsonencode(1e-20) is 0, [1e19 0.5] $(echo "$large" | head -n 1)"
