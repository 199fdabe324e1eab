/* The token file: who may come in. A line a token:
 *
 *     NAME sha256:HASH [rate=N/TIME] [bytes=SIZE/TIME] [concurrent=N] [expires=DATE]
 *
 * It holds no secret, only hashes of the tokens. Reading is a pure function of the text. */
#ifndef GRADIENTD_TOKEN_FILE_H
#define GRADIENTD_TOKEN_FILE_H

#include "access/quota.h"

#define TOKEN_NAME_SIZE 65
#define TOKEN_HASH_SIZE 32
#define TOKENS_MOST 4096
#define TOKEN_HASH_PREFIX "sha256:"

/* One line. */
typedef struct token_line {
    char name[TOKEN_NAME_SIZE]; /* 1 to 64 letters, digits and . _ - @ */
    unsigned char hash[TOKEN_HASH_SIZE];
    quotas limits;
    int64_t expires; /* seconds since 1970, from which on it is no good; INT64_MAX: never */
    size_t number;   /* of the line, from 1 on */
} token_line;

typedef struct token_list {
    token_line *lines; /* owned */
    size_t count;
} token_list;

/* Reads the text of a token file; names and hashes are unique, and there are at most TOKENS_MOST.
 * On success the caller frees the list. False, and *list untouched: message says the line, what was
 * expected and what was found, but never quotes what may be a secret. */
bool token_file_parse(const char *text, token_list *list, char *message, size_t message_size);

void token_list_free(token_list *list);

#endif
