/* The subcommand `token`. What it prints is read back before, so that it is right. */
#include "access/token_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool fail(char *message, size_t size, const char *text)
{
    snprintf(message, size, "%s", text);
    return false;
}

/* Appends to the line. False: it is full. */
static bool append(char line[TOKEN_LINE_SIZE], const char *before, const char *text)
{
    size_t length = strlen(line);
    int added = snprintf(line + length, TOKEN_LINE_SIZE - length, "%s%s", before, text);

    return added >= 0 && (size_t)added < TOKEN_LINE_SIZE - length;
}

/* --rate 10/s and --rate=10/s are the file's rate=10/s. */
static bool append_fields(char *const *words, char line[TOKEN_LINE_SIZE])
{
    for (; *words != NULL; words++) {
        const char *word = *words;
        if (strncmp(word, "--", 2) != 0 || !append(line, " ", word + 2))
            return false;
        if (strchr(word, '=') == NULL && (*++words == NULL || !append(line, "=", *words)))
            return false;
    }
    return true;
}

static bool append_hash(const char *token, char line[TOKEN_LINE_SIZE])
{
    unsigned char hash[TOKEN_HASH_SIZE];
    char digits[3];

    if (!secret_hash(token, strlen(token), hash) || !append(line, " ", TOKEN_HASH_PREFIX))
        return false;
    for (size_t i = 0; i < sizeof hash; i++) {
        snprintf(digits, sizeof digits, "%02x", hash[i]);
        append(line, "", digits);
    }
    return true;
}

bool token_command(char *const *words, char token[SECRET_SIZE], char line[TOKEN_LINE_SIZE],
                   char *message, size_t message_size)
{
    static const char usage[] =
        "expected token NAME [--rate N/TIME] [--bytes SIZE/TIME] [--concurrent N] "
        "[--expires DATE], found something else";
    char reason[256];
    token_list list = {.lines = NULL};

    if (words[0] == NULL || words[0][0] == '-')
        return fail(message, message_size, usage);
    if (!secret_make(token))
        return fail(message, message_size, strerrordesc_np(errno));
    line[0] = '\0';
    if (!append(line, "", words[0]) || !append_hash(token, line) || !append_fields(words + 1, line))
        return fail(message, message_size, usage);
    if (!token_file_parse(line, &list, reason, sizeof reason))
        return fail(message, message_size, reason + strcspn(reason, ":") + 2);
    token_list_free(&list);
    return true;
}
