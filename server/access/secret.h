/* Tokens themselves: made at random, and hashed. */
#ifndef GRADIENTD_SECRET_H
#define GRADIENTD_SECRET_H

#include "access/token_file.h"

/* "gd_" and 43 letters, digits, - and _: 256 random bits (base64url, RFC 4648, section 5). */
#define SECRET_PREFIX "gd_"
#define SECRET_SIZE (sizeof SECRET_PREFIX + 43)

/* Makes a token. False: the kernel gave no random bytes, and errno says why. */
bool secret_make(char token[SECRET_SIZE]);

/* SHA-256 of the token's text. A token has 256 random bits, so that nobody finds it by trying, and
 * a hash that is slow on purpose, as passwords need, would add nothing but the time of each
 * request. False: the library failed. */
bool secret_hash(const char *token, size_t length, unsigned char hash[TOKEN_HASH_SIZE]);

#endif
