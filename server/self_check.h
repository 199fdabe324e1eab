/* `gradientd check`: whether a daemon with these options would work here. */
#ifndef GRADIENTD_SELF_CHECK_H
#define GRADIENTD_SELF_CHECK_H

#include "config/config.h"

#include <stdio.h>

/* Writes a line for each question, "ok NAME" or "FAIL NAME: why". Whether all are ok. */
bool self_check(const config *c, FILE *out);

#endif
