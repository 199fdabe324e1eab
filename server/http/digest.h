/* Digests of content (RFC 9530): what Content-Digest says of a body, whether it is so, and what
 * Want-Content-Digest asks of a response. Knows sha-256 and sha-512. Text and hashes only. */
#ifndef GRADIENTD_DIGEST_H
#define GRADIENTD_DIGEST_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum digest_algorithm { DIGEST_SHA_256, DIGEST_SHA_512, DIGEST_NONE } digest_algorithm;

/* The digests that a body should have, and its hashes so far. Used by one thread at a time. */
typedef struct digest digest;

/* Reads a Content-Digest; algorithms that are not known here are passed over, and *created is NULL
 * where there is no other. The caller owns *created. False: not what RFC 9530 has, or no memory,
 * and fault says what was expected and found. */
bool digest_read(const char *field, digest **created, char *fault, size_t size);

/* The next bytes of the content. NULL is fine. */
void digest_add(digest *d, const char *bytes, size_t length);

/* Once, after the last byte. False: it is other content, and fault has the digest that was expected
 * and the one found. */
bool digest_matches(digest *d, char *fault, size_t size);

/* NULL is fine. */
void digest_free(digest *d);

/* The algorithm that a Want-Content-Digest prefers; DIGEST_NONE where it wants none that is known
 * here, or is not what RFC 9530 has. */
digest_algorithm digest_wanted(const char *field);

/* "sha-512=:…:" with its NUL */
#define DIGEST_TEXT_SIZE 104

/* Writes a Content-Digest of these segments. False: no memory. */
bool digest_write(digest_algorithm algorithm, const grad_segment *segments, size_t count,
                  char text[DIGEST_TEXT_SIZE]);

#endif
