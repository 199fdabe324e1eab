/* Long matrices, right and with wrong bytes, decoded whole (rows are read in blocks then) and in
 * pieces of all sizes (one number after the other): the same numbers, the same error at the same
 * byte; and jansson's tree as the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/number_cases.h"
#include "support/wire_oracle.h"

enum { NUMBERS = 120, TEXT = NUMBERS * 40 + 400 };

static size_t print_number(random_state *random, char *text)
{
    static const char *const odd[] = {"\"NaN\"", "1e5", "-0.5E-3", "1e39", "01", "true",
                                      "1.",      "-",   "null",    "[1]",  "{}", "\"a\""};
    double value = random_signed(random) * (double)(1 + random_below(random, 100));

    if (random_below(random, 300) == 0)
        return (size_t)sprintf(text, "%s", odd[random_below(random, sizeof odd / sizeof *odd)]);
    return (size_t)sprintf(text, random_below(random, 4) == 0 ? "%.17g" : "%.7g", value);
}

static size_t print_document(random_state *random, char *text)
{
    static const char *const commas[] = {",", ", ", " ,", ",\n "};
    static const char *const breaks[] = {"],[", "], [", " ] , [", "],\n  ["};
    size_t style = random_below(random, 4), columns = 1 + random_below(random, 9), column = 0;
    size_t length = (size_t)sprintf(text, "{\"layers\":[{\"activation\":\"relu\",\"input\":[[");
    size_t count = NUMBERS / columns * columns - (random_below(random, 6) == 0);

    for (size_t i = 0; i < count; i++, column++) {
        if (i > 0 && column >= columns && random_below(random, 300) > 0) {
            length += (size_t)sprintf(text + length, "%s", breaks[style]);
            column = 0;
        } else if (i > 0) {
            length += (size_t)sprintf(text + length, "%s", commas[style]);
        }
        length += print_number(random, text + length);
    }
    length +=
        (size_t)sprintf(text + length, "]],\"pre_activation\":[[1]],\"grad_output\":[[1]]}]}");
    for (size_t wrong = random_below(random, 6); wrong > 3; wrong--)
        text[random_below(random, length)] = "0123456789.-+e, ][x\"{}"[random_below(random, 22)];
    return length;
}

static void whole_and_pieces_agree(void **state)
{
    random_state random = {41};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 1000; i++) {
        char text[TEXT];
        size_t length = print_document(&random, text);
        const char *wrong = wire_oracle_check(wire_forms[i % 8 == 0 ? 2 : 0], text, length);

        if (wrong != NULL)
            fail_msg("%s: %.*s", wrong, (int)length, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_and_pieces_agree)};

    printf("documents %d\n", NUMBER_CASES / 1000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
