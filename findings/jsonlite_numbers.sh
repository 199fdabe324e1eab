#!/bin/sh
# jsonlite (R): NULL in a list is {}, a missing number the text "NA", and digits = NA is 15 digits
# Versions: 1.8.4, 1.9.1, 2.0.0 (Debian 12, 13, testing: r-cran-jsonlite).
# One would guess: null for all that is missing, and with digits = NA ("max precision") a double
# that reads back as it was.
# Seen: toJSON writes {} for a NULL in a list, "NA", "NaN" and "Inf" among numbers, null among
# logicals, and leaves an NA of a data frame out; null = "null" and na = "null" make them null.
# With digits = NA 1/3 is 0.333333333333333, another double, in all three; digits = 17 is 15
# digits as well in 1.8.4, and reads back as it was since 1.9.1.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package r-cran-jsonlite 1.8.4 1.9.1 2.0.0
cat >run.R <<'R'
library(jsonlite)
show <- function(x, ...) cat(toJSON(x, auto_unbox = TRUE, ...), "\n", sep = "")
show(list(bias = NULL, rate = 1))
show(list(bias = NULL, rate = 1), null = "null")
show(c(1, NA, NaN, Inf))
show(c(1, NA, NaN, Inf), na = "null")
show(c(TRUE, NA))
show(data.frame(x = c(1, NA)))
for (digits in c(NA, 17)) {
    text <- toJSON(1 / 3, auto_unbox = TRUE, digits = digits)
    cat(text, " ", fromJSON(text) == 1 / 3, "\n", sep = "")
}
R
case $found in
1.8.4) seventeen='0.333333333333333 FALSE' ;;
*) seventeen='0.33333333333333331 TRUE' ;;
esac
verdict "{\"bias\":{},\"rate\":1}
{\"bias\":null,\"rate\":1}
[1,\"NA\",\"NaN\",\"Inf\"]
[1,null,null,null]
[true,null]
[{\"x\":1},{}]
0.333333333333333 FALSE
$seventeen" "$(Rscript run.R)" \
    "jsonlite $found: NULL is {}, NA is \"NA\", digits = NA: 0.333333333333333, 17: $seventeen"
