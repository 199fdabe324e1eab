/* Replays the fuzzer's corpus: every input against the oracle as each kind of request, and every
 * one named in tests/fuzz/expected.txt against what is written there, as the kind that its name
 * begins with. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_oracle.h"

enum { FILE_MAX = 1 << 16, LINE_MAX_LENGTH = 512 };

/* The folder next to this one, wherever the tests are run from. */
static void fuzz_path(char *path, size_t size, const char *name)
{
    const char *here = strrchr(__FILE__, '/');

    snprintf(path, size, "%.*s../fuzz/%s", here != NULL ? (int)(here - __FILE__) + 1 : 0, __FILE__,
             name);
}

static size_t read_input(const char *name, char *text)
{
    char path[1024];
    char relative[512];
    size_t length;
    FILE *file;

    snprintf(relative, sizeof relative, "corpus/%s", name);
    fuzz_path(path, sizeof path, relative);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    length = fread(text, 1, FILE_MAX, file);
    fclose(file);
    assert_true(length < FILE_MAX);
    return length;
}

static void test_every_input(void **unused)
{
    static char text[FILE_MAX];
    char path[1024];
    struct dirent *entry;
    size_t inputs = 0;
    DIR *corpus;

    (void)unused;
    fuzz_path(path, sizeof path, "corpus");
    corpus = opendir(path);
    assert_non_null(corpus);
    while ((entry = readdir(corpus)) != NULL) {
        size_t length;

        if (entry->d_name[0] == '.')
            continue;
        length = read_input(entry->d_name, text);
        for (size_t i = 0; i < WIRE_FORMS; i++) {
            const char *wrong = wire_oracle_check(wire_forms[i], text, length);

            if (wrong != NULL)
                fail_msg("%s as %zu: %s", entry->d_name, i, wrong);
        }
        inputs++;
    }
    closedir(corpus);
    assert_true(inputs > 40);
}

/* By the name's first word: backprop_…, double_… (a network in FP64), check_…; else gradients. */
static wire_form form_of(const char *name)
{
    return strncmp(name, "backprop_", 9) == 0 ? (wire_form){WIRE_BACKPROP, GRAD_FP32}
           : strncmp(name, "double_", 7) == 0 ? (wire_form){WIRE_BACKPROP, GRAD_FP64}
           : strncmp(name, "check_", 6) == 0  ? (wire_form){WIRE_CHECK, GRAD_FP64}
                                              : (wire_form){WIRE_GRADIENTS, GRAD_FP32};
}

/* Lines of: file, code ("ok" for none), byte, pointer ("" is written -). */
static void test_expected_outcomes(void **unused)
{
    static char text[FILE_MAX];
    char path[1024];
    char line[LINE_MAX_LENGTH];
    size_t lines = 0;
    FILE *expected;

    (void)unused;
    fuzz_path(path, sizeof path, "expected.txt");
    expected = fopen(path, "r");
    assert_non_null(expected);
    while (fgets(line, sizeof line, expected) != NULL) {
        char found[LINE_MAX_LENGTH];
        char name[100];
        wire_outcome o;

        assert_int_equal(sscanf(line, "%99s", name), 1);
        o = wire_decode_as(form_of(name), text, read_input(name, text), 0, NULL);
        snprintf(found, sizeof found, "%s %s %lld %s\n", name,
                 o.status == GRAD_OK ? "ok" : o.error.code, (long long)o.error.offset,
                 o.error.pointer[0] != '\0' ? o.error.pointer : "-");
        assert_string_equal(found, line);
        grad_decoder_destroy(o.decoder);
        lines++;
    }
    fclose(expected);
    assert_true(lines > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_input),
        cmocka_unit_test(test_expected_outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
