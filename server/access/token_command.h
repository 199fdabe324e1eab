/* The subcommand `token`: makes a token, and the line of the token file for it. */
#ifndef GRADIENTD_TOKEN_COMMAND_H
#define GRADIENTD_TOKEN_COMMAND_H

#include "access/secret.h"

#define TOKEN_LINE_SIZE 512

/* words: a name and --rate, --bytes, --concurrent, --expires with their values, NULL at the end.
 * Writes a new token, and its line without a line feed. False: message says what is wrong. */
bool token_command(char *const *words, char token[SECRET_SIZE], char line[TOKEN_LINE_SIZE],
                   char *message, size_t message_size);

#endif
