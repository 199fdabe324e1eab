/* Base64 of RFC 4648, section 4: blocks of bytes to text and back. Where the processor has AVX2 it
 * is taken in vectors; which it has is found out when the program runs. */
#ifndef GRAD_CODEC_PAYLOAD_BASE64_H
#define GRAD_CODEC_PAYLOAD_BASE64_H

#include <stddef.h>

/* Bytes for which a decoder needs room behind what it decodes. */
enum { GRAD_BASE64_SLACK = 8 };

/* Characters of count bytes, padding included. count is at most SIZE_MAX / 2. */
static inline size_t grad_base64_length(size_t count)
{
    return (count + 2) / 3 * 4;
}

/* Decodes groups of four characters as long as all four are letters of the alphabet, and returns
 * how many characters that were. Padding, and whatever else is no letter, is the caller's. bytes
 * has room for three quarters of length, and for GRAD_BASE64_SLACK more. */
size_t grad_base64_decode(const char *text, size_t length, unsigned char *bytes);

/* Writes count bytes, padded with '='. text has room for grad_base64_length. Returns its end. */
char *grad_base64_encode(const unsigned char *bytes, size_t count, char *text);

/* What a character stands for, 0 to 63; -1: it is not of the alphabet. */
int grad_base64_value(char c);

#endif
