/* Random tokens and their hashes, by GnuTLS, which libmicrohttpd needs too. */
#include "access/secret.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_BYTES 32

bool secret_make(char token[SECRET_SIZE])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[RANDOM_BYTES + 1] = {0}; /* 43 letters are two bits more */
    char *out = token + sizeof SECRET_PREFIX - 1;

    if (getrandom(bytes, RANDOM_BYTES, 0) != RANDOM_BYTES)
        return false;
    memcpy(token, SECRET_PREFIX, sizeof SECRET_PREFIX);
    for (size_t bit = 0; bit < RANDOM_BYTES * 8; bit += 6) {
        unsigned two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        *out++ = letters[two >> (10 - bit % 8) & 63];
    }
    *out = '\0';
    explicit_bzero(bytes, sizeof bytes);
    return true;
}

bool secret_hash(const char *token, size_t length, unsigned char hash[TOKEN_HASH_SIZE])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, token, length, hash) == 0;
}
