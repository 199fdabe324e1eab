/* One option's value: text to value and back. Where the text came from is of no interest here. */
#ifndef GRADIENTD_VALUES_H
#define GRADIENTD_VALUES_H

#include "config/options.h"

typedef struct option_value {
    size_t number;    /* OPTION_NUMBER, OPTION_SIZE, OPTION_RATE */
    double seconds;   /* OPTION_TIME */
    bool on;          /* OPTION_SWITCH */
    int choice;       /* OPTION_CHOICE */
    const char *text; /* OPTION_ADDRESS, OPTION_ORIGINS: the text itself, or "" for none */
} option_value;

/* Reads the text as a value of that option, in its range. False, and *value untouched, where it is
 * none. */
bool value_parse(const option *o, const char *text, option_value *value);

/* Says what value_parse expects: "a size from 1KiB to 64GiB, such as …". */
#define VALUE_EXPECTED_SIZE 160
void value_expected(const option *o, char text[VALUE_EXPECTED_SIZE]);

/* The range alone, "1KiB to 64GiB", or the choices; for the documentation. */
#define VALUE_RANGE_SIZE 64
void value_range(const option *o, char text[VALUE_RANGE_SIZE]);

/* The default as people read it: "64Mi", where the table has digits too. */
#define VALUE_INITIAL_SIZE 64
void value_initial(const option *o, char text[VALUE_INITIAL_SIZE]);

/* Puts the value where the option's offset says, a copy of its text too (freeing the one before).
 * False: no memory, nothing changed. */
bool value_store(const option *o, const option_value *value, config *values);

/* Whether both hold the same value of that option. */
bool value_equal(const option *o, const config *a, const config *b);

/* Gives to the value that from has; of all kinds but those of text. */
void value_copy(const option *o, const config *from, config *to);

/* Writes the value of that option in values as a text that value_parse reads back. */
void value_format(const option *o, const config *values, FILE *out);

/* Whether it is a 0 that is replaced at start. */
bool value_is_automatic(const option *o, const config *values);

#endif
