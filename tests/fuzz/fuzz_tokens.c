/* The token file under a fuzzer: what is accepted has unique names and hashes and sound limits;
 * what is refused is refused with a reason, which quotes no word of the text that is long enough to
 * be a secret. */
#include "access/token_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LENGTH 24 /* no word of the messages is so long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static void expect_sound(const token_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const token_line *line = &list->lines[i];
        size_t length = strlen(line->name);

        if (length == 0 || length >= TOKEN_NAME_SIZE || line->number == 0)
            fail("a line without a name or number");
        if ((line->limits.rate.amount != 0) != (line->limits.rate.window != 0) ||
            (line->limits.bytes.amount != 0) != (line->limits.bytes.window != 0))
            fail("half a limit");
        for (size_t j = 0; j < i; j++)
            if (strcmp(line->name, list->lines[j].name) == 0 ||
                memcmp(line->hash, list->lines[j].hash, sizeof line->hash) == 0)
                fail("a name or a hash twice");
    }
}

/* Words of letters, digits and what tokens are made of. */
static void expect_discreet(const char *message, const char *text)
{
    for (const char *at = message; *at != '\0';) {
        char word[512];
        size_t length = 0;

        while (isalnum((unsigned char)at[length]) || at[length] == '-' || at[length] == '_')
            length++;
        if (length >= SECRET_LENGTH && length < sizeof word) {
            memcpy(word, at, length);
            word[length] = '\0';
            if (strstr(text, word) != NULL)
                fail(message);
        }
        at += length + (at[length] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), message[512] = "";
    token_list list;

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (token_file_parse(text, &list, message, sizeof message)) {
        expect_sound(&list);
        token_list_free(&list);
    } else if (strncmp(message, "line ", 5) != 0 && message[0] == '\0')
        fail("refused without a reason");
    else
        expect_discreet(message, text);
    free(text);
    return 0;
}
