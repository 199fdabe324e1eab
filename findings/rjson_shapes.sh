#!/bin/sh
# rjson (R): a matrix is one flat array, column by column, and doubles are written with 15 digits
# Versions: r-cran-rjson 0.2.21, 0.2.23 (Debian 12, 13 and testing).
# Guessed: a matrix is an array of its rows, as jsonlite has it, and what is written reads back.
# Seen: matrix(1:6, 2, byrow = TRUE), whose rows are 1 2 3 and 4 5 6, is [1,4,2,5,3,6]: as the data
# of a shape [2,3] that is another matrix. A vector of one number is a number alone, of none []; NA
# and Inf are "NA" and "Inf", of logicals too. 1/3 is 0.333333333333333, another double, and of 2000
# random doubles 9 in 10 read back as others. [[1,2],[3,4]] is read as a list of vectors.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package r-cran-rjson 0.2.21 0.2.23
cat >run.R <<'R'
library(rjson)
show <- function(x) cat(toJSON(x), "\n", sep = "")
show(matrix(1:6, 2, byrow = TRUE))
show(array(1:8, c(2, 2, 2)))
show(list(weight = 0.5, bias = numeric(0)))
show(c(1, NA, Inf))
show(c(TRUE, NA))
show(1 / 3)
set.seed(1)
x <- runif(2000) * 10^sample(-300:300, 2000, TRUE)
others <- sum(sapply(x, function(v) fromJSON(toJSON(v)) != v))
cat("read back as others:", round(others / 200), "in 10\n")
cat(class(fromJSON("[[1,2],[3,4]]")), "\n", sep = "")
R
verdict '[1,4,2,5,3,6]
[1,2,3,4,5,6,7,8]
{"weight":0.5,"bias":[]}
[1,"NA","Inf"]
[true,"NA"]
0.333333333333333
read back as others: 9 in 10
list' "$(Rscript run.R)" "rjson $found: rows 1 2 3 and 4 5 6 are [1,4,2,5,3,6]; 1/3 has 15 digits"
