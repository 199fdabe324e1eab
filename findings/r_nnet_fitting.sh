#!/bin/sh
# R's nnet: decay has no half and takes biases too; beyond |z| = 15 a sigmoid is 0 or 1 exactly
# Version 7.3-18 (Debian 12: r-cran-nnet; R 4.2.2).
# One would guess: decay=d adds d/2 Σw² of the weights, as most libraries' does; entropy=TRUE is
# the cross-entropy, as softmax=TRUE is; and a sigmoid of -16 is 1.1e-7.
# Seen, on networks that are evaluated and not trained (maxit=0):
# - the error is Σ(y - t)², without a half and not divided by the samples, and decay=0.1 adds
#   0.1 Σw², biases included: the gradient of a weight is 2 d w more.
# - entropy=TRUE tells the divergence Σ t log(t/y) + (1 - t) log((1 - t)/(1 - y)), 0.728 where the
#   cross-entropy is 2.226; softmax=TRUE tells the cross-entropy, 3.88 where the divergence is 3.19.
# - a unit's output is exactly 1 at z = 15.001 and 0 at z = -15.001, where it was 3.1e-7 at -15: by
#   least squares nothing is learned from there. The cross-entropy of a target of 1 is 14 at
#   z = -14 and 184.2 (-log 1e-80) at z = -16, and that of a softmax 800 too far is 1000.
# So deltas of a service that computes them as written differ from a step of nnet's: halve its
# decay, and do not compare losses where a unit is saturated.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

command -v Rscript >/dev/null || skip "R is not installed"
if ! dpkg-query -W r-cran-nnet >/dev/null 2>&1; then
    apt-get download -qq r-cran-nnet=7.3-18-1 2>download.log ||
        skip "r-cran-nnet 7.3-18-1 cannot be downloaded: $(tail -n 1 download.log)"
    dpkg-deb -x r-cran-nnet_*.deb .
    export R_LIBS="$FOLDER/usr/lib/R/library"
fi
cat >fit.R <<'R'
library(nnet)
if (packageDescription("nnet")$Version != "7.3-18") quit(status = 77)
say <- function(...) cat(paste(signif(c(...), 4), collapse = " "), "\n", sep = "")
x <- matrix(c(1, 2, -1, 0.5, 0.25, -2), 3)
t <- c(0.2, 0.9, 0.4)
w <- c(0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.05, -0.15)
of <- function(...) nnet(x, t, size = 2, Wts = w, maxit = 0, trace = FALSE, ...)
plain <- of(linout = TRUE)
say(plain$value, sum((predict(plain) - t)^2))
say(of(linout = TRUE, decay = 0.1)$value - plain$value, 0.1 * sum(w^2))
e <- of(entropy = TRUE)
y <- predict(e)
say(e$value, -sum(t * log(y) + (1 - t) * log(1 - y)))
classes <- rbind(c(1, 0, 0), c(0, 1, 0), c(0, 0.5, 0.5))
s <- nnet(x, classes, size = 2, Wts = seq(-1, 1, length.out = 15), maxit = 0, trace = FALSE,
          softmax = TRUE)
say(s$value, -sum(classes * log(predict(s))))
unit <- function(z, ...) nnet(matrix(1), 1, size = 0, skip = TRUE, Wts = c(0, z), maxit = 0,
                              trace = FALSE, ...)
say(sapply(c(-15, -15.001, 15.001), function(z) predict(unit(z))))
say(sapply(c(-14, -16), function(z) unit(z, entropy = TRUE)$value))
say(nnet(matrix(1), rbind(c(1, 0)), size = 0, skip = TRUE, Wts = c(0, 0, 0, 800), maxit = 0,
         trace = FALSE, softmax = TRUE)$value)
R
status=0
seen=$(Rscript --vanilla fit.R 2>error.log) || status=$?
[ "$status" != 77 ] || skip "nnet is not 7.3-18 here"
verdict "0.3141 0.3141
0.1425 0.1425
0.7276 2.226
3.88 3.88
3.059e-07 0 1
14 184.2
1000" "$seen" "nnet 7.3-18: decay 0.1 adds 0.1 Σw², the sigmoid of -15.001 is 0, 184.2 at z = -16"
