/* Dictionaries of digests (RFC 9651, section 3.2), and hashes by GnuTLS, which libmicrohttpd needs
 * too. */
#include "http/digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_HASH 64
#define LETTERS_SIZE 89 /* of the largest hash in base64 */

static const struct {
    const char *name;
    gnutls_digest_algorithm_t number;
    size_t bytes;
} algorithms[DIGEST_NONE] = {
    [DIGEST_SHA_256] = {"sha-256", GNUTLS_DIG_SHA256, 32},
    [DIGEST_SHA_512] = {"sha-512", GNUTLS_DIG_SHA512, 64},
};

struct digest {
    gnutls_hash_hd_t hashes[DIGEST_NONE]; /* NULL: not said */
    char expected[DIGEST_NONE][LETTERS_SIZE];
};

/* ---- Dictionaries ---------------------------------------------------------------------------- */

/* A member as text: its key, and its value without parameters. */
typedef struct member {
    const char *key, *value;
    size_t key_length, value_length;
} member;

/* How far a value goes: to a comma or semicolon outside of quotation marks. */
static size_t length_of_value(const char *text)
{
    bool quoted = false;
    size_t length = 0;

    for (; text[length] != '\0' && (quoted || strchr(",; \t", text[length]) == NULL); length++)
        quoted ^= text[length] == '"' && (length == 0 || text[length - 1] != '\\');
    return length;
}

/* Reads the member at *text, and goes on to the next. False: malformed, or there is none. */
static bool next_member(const char **text, member *m)
{
    const char *at = *text + strspn(*text, " \t");

    m->key = at;
    m->key_length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_-.*");
    if (m->key_length == 0 || at[m->key_length] != '=')
        return false;
    m->value = at + m->key_length + 1;
    m->value_length = length_of_value(m->value);
    at = m->value + m->value_length;
    while (*at == ';')
        at += 1 + length_of_value(at + 1);
    at += strspn(at, " \t");
    if (*at != '\0' && (*at != ',' || at[1 + strspn(at + 1, " \t")] == '\0'))
        return false;
    *text = at + (*at == ',');
    return true;
}

static digest_algorithm algorithm_of(const member *m)
{
    for (int i = 0; i < DIGEST_NONE; i++)
        if (strlen(algorithms[i].name) == m->key_length &&
            memcmp(algorithms[i].name, m->key, m->key_length) == 0)
            return (digest_algorithm)i;
    return DIGEST_NONE;
}

/* ---- What is expected ------------------------------------------------------------------------ */

/* Whether the value is a byte sequence of a hash's length: ":base64:". */
static bool is_hash(const member *m, digest_algorithm which)
{
    size_t letters = (algorithms[which].bytes + 2) / 3 * 4, pads = 3 * (letters / 4);
    size_t filled = letters - (pads - algorithms[which].bytes);

    return m->value_length == letters + 2 && m->value[0] == ':' && m->value[letters + 1] == ':' &&
           strspn(m->value + 1,
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == filled &&
           strspn(m->value + 1 + filled, "=") == letters - filled;
}

static bool fail(char *fault, size_t size, const char *field)
{
    snprintf(fault, size, "expected a Content-Digest such as sha-256=:%.8s…:, found %.150s",
             "47DEQpj8", field);
    return false;
}

static bool expect(digest *d, const member *m, digest_algorithm which)
{
    memcpy(d->expected[which], m->value + 1, m->value_length - 2);
    d->expected[which][m->value_length - 2] = '\0';
    return d->hashes[which] != NULL ||
           gnutls_hash_init(&d->hashes[which], algorithms[which].number) == 0;
}

bool digest_read(const char *field, digest **created, char *fault, size_t size)
{
    digest *d = calloc(1, sizeof *d);
    const char *at = field;
    bool found = false, good = d != NULL;
    member m;

    while (good && *at != '\0') {
        digest_algorithm which;
        good = next_member(&at, &m);
        which = good ? algorithm_of(&m) : DIGEST_NONE;
        if (which != DIGEST_NONE) {
            good = is_hash(&m, which) && expect(d, &m, which);
            found = true;
        }
    }
    *created = good && found ? d : NULL;
    if (*created == NULL)
        digest_free(d);
    return good || fail(fault, size, field);
}

void digest_add(digest *d, const char *bytes, size_t length)
{
    for (int i = 0; d != NULL && i < DIGEST_NONE; i++)
        if (d->hashes[i] != NULL)
            gnutls_hash(d->hashes[i], bytes, length);
}

/* ---- What is found --------------------------------------------------------------------------- */

/* Ends the hash. */
static bool print_hash(gnutls_hash_hd_t hash, digest_algorithm which, char letters[LETTERS_SIZE])
{
    unsigned char bytes[LARGEST_HASH];
    const gnutls_datum_t raw = {.data = bytes, .size = (unsigned)algorithms[which].bytes};
    gnutls_datum_t text;

    gnutls_hash_deinit(hash, bytes);
    if (gnutls_base64_encode2(&raw, &text) != 0)
        return false;
    snprintf(letters, LETTERS_SIZE, "%.*s", (int)text.size, (const char *)text.data);
    gnutls_free(text.data);
    return true;
}

bool digest_matches(digest *d, char *fault, size_t size)
{
    for (int i = 0; i < DIGEST_NONE; i++) {
        char found[LETTERS_SIZE] = "";
        if (d->hashes[i] == NULL)
            continue;
        print_hash(d->hashes[i], (digest_algorithm)i, found);
        d->hashes[i] = NULL;
        if (strcmp(found, d->expected[i]) != 0) {
            snprintf(fault, size,
                     "expected content with %s=:%s:, found %s=:%s:", algorithms[i].name,
                     d->expected[i], algorithms[i].name, found);
            return false;
        }
    }
    return true;
}

void digest_free(digest *d)
{
    for (int i = 0; d != NULL && i < DIGEST_NONE; i++)
        if (d->hashes[i] != NULL)
            gnutls_hash_deinit(d->hashes[i], NULL);
    free(d);
}

/* ---- What is wanted -------------------------------------------------------------------------- */

/* A weight from 0 to 10; negative: none. */
static int weight_of(const member *m)
{
    int weight = 0;

    if (m->value_length == 0 || m->value_length > 2)
        return -1;
    for (size_t i = 0; i < m->value_length; i++) {
        if (m->value[i] < '0' || m->value[i] > '9')
            return -1;
        weight = 10 * weight + (m->value[i] - '0');
    }
    return weight <= 10 ? weight : -1;
}

digest_algorithm digest_wanted(const char *field)
{
    digest_algorithm best = DIGEST_NONE;
    const char *at = field;
    int highest = 0;
    member m;

    while (*at != '\0') {
        int weight = next_member(&at, &m) ? weight_of(&m) : -1;
        if (weight < 0)
            return DIGEST_NONE;
        if (algorithm_of(&m) != DIGEST_NONE && weight > highest) {
            best = algorithm_of(&m);
            highest = weight;
        }
    }
    return best;
}

bool digest_write(digest_algorithm algorithm, const grad_segment *segments, size_t count,
                  char text[DIGEST_TEXT_SIZE])
{
    char letters[LETTERS_SIZE];
    gnutls_hash_hd_t hash;

    if (gnutls_hash_init(&hash, algorithms[algorithm].number) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        gnutls_hash(hash, segments[i].text, segments[i].length);
    if (!print_hash(hash, algorithm, letters))
        return false;
    snprintf(text, DIGEST_TEXT_SIZE, "%s=:%s:", algorithms[algorithm].name, letters);
    return true;
}
