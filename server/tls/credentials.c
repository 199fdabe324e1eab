/* The files of TLS, read into what GnuTLS takes, and what must be right about them. */
#include "tls/tls.h"

#include "platform/files.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Where a reason goes. */
typedef struct complaint {
    char *message;
    size_t size;
} complaint;

static bool fail(const complaint *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(const complaint *to, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(to->message, to->size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- Which files there must be --------------------------------------------------------------- */

bool tls_is_wanted(const config *c)
{
    return c->tls_certificate[0] != '\0' || c->tls_key[0] != '\0' || tls_asks_clients(c);
}

bool tls_asks_clients(const config *c)
{
    return c->tls_client_ca[0] != '\0' || c->tls_client_crl[0] != '\0' ||
           c->tls_client_names[0] != '\0';
}

/* None is of use without the others; a list of clients alone would let everybody in. */
static bool have_all(const config *c, const complaint *to)
{
    if (c->tls_certificate[0] == '\0')
        return fail(to, "expected tls-certificate beside the other tls options, found none");
    if (c->tls_key[0] == '\0')
        return fail(to, "expected tls-key beside tls-certificate, found none");
    if (tls_asks_clients(c) && c->tls_client_ca[0] == '\0')
        return fail(to, "expected tls-client-ca beside %s, found none",
                    c->tls_client_crl[0] != '\0' ? "tls-client-crl" : "tls-client-names");
    return true;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_text(const char *option, const char *path, gnutls_datum_t *text,
                      const complaint *to)
{
    char *found = files_read(path);

    if (found == NULL)
        return fail(to, "%s: cannot read %s: %s", option, path, strerrordesc_np(errno));
    text->data = (unsigned char *)found;
    text->size = (unsigned)strlen(found);
    return true;
}

static void forget(gnutls_datum_t *secret)
{
    if (secret->data != NULL)
        gnutls_memset(secret->data, 0, secret->size);
    free(secret->data);
    secret->data = NULL;
}

static bool read_key(const char *path, gnutls_datum_t *text, const complaint *to)
{
    char reason[256];
    char *found = files_read_guarded(path, reason, sizeof reason);

    if (found == NULL)
        return fail(to, "tls-key: cannot read %s: %s", path, reason);
    text->data = (unsigned char *)found;
    text->size = (unsigned)strlen(found);
    return true;
}

/* ---- The service's own certificate ----------------------------------------------------------- */

static bool read_expiry(const gnutls_datum_t *text, const char *path, time_t *expires,
                        const complaint *to)
{
    gnutls_x509_crt_t *chain;
    unsigned count;
    int status = gnutls_x509_crt_list_import2(&chain, &count, text, GNUTLS_X509_FMT_PEM, 0);

    if (status < 0) {
        return fail(to,
                    "tls-certificate %s: expected certificates in PEM, found none that can be "
                    "read: %s",
                    path, gnutls_strerror(status));
    }
    *expires = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < count; i++) {
        time_t one = gnutls_x509_crt_get_expiration_time(chain[i]);
        *expires = one < *expires ? one : *expires;
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    return true;
}

static bool set_pair(tls_credentials *credentials, const config *c,
                     const gnutls_datum_t *certificate, const gnutls_datum_t *key,
                     const complaint *to)
{
    int status = gnutls_certificate_set_x509_key_mem2(credentials->x509, certificate, key,
                                                      GNUTLS_X509_FMT_PEM, NULL, 0);

    if (status == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        return fail(to,
                    "tls-key %s: expected the key of the first certificate in %s, found "
                    "another's",
                    c->tls_key, c->tls_certificate);
    }
    return status >= 0 || fail(to,
                               "tls-key %s: expected a private key in PEM without a "
                               "passphrase, found none that can be read: %s",
                               c->tls_key, gnutls_strerror(status));
}

static bool read_pair(tls_credentials *credentials, const config *c, const complaint *to)
{
    gnutls_datum_t certificate = {NULL, 0}, key = {NULL, 0};
    bool good = read_text("tls-certificate", c->tls_certificate, &certificate, to) &&
                read_expiry(&certificate, c->tls_certificate, &credentials->expires, to) &&
                read_key(c->tls_key, &key, to) && set_pair(credentials, c, &certificate, &key, to);

    free(certificate.data);
    forget(&key);
    return good;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static bool read_authorities(tls_credentials *credentials, const config *c, const complaint *to)
{
    gnutls_datum_t text;
    int count;

    if (!read_text("tls-client-ca", c->tls_client_ca, &text, to))
        return false;
    count = gnutls_certificate_set_x509_trust_mem(credentials->x509, &text, GNUTLS_X509_FMT_PEM);
    free(text.data);
    return count > 0 || fail(to,
                             "tls-client-ca %s: expected certificates in PEM, found none that "
                             "can be read",
                             c->tls_client_ca);
}

/* A list of another authority's would be kept and revoke nothing. */
static bool read_revoked(tls_credentials *credentials, const config *c, const complaint *to)
{
    gnutls_x509_trust_list_t trusted;
    gnutls_datum_t text;
    int count;

    if (c->tls_client_crl[0] == '\0')
        return true;
    if (!read_text("tls-client-crl", c->tls_client_crl, &text, to))
        return false;
    gnutls_certificate_get_trust_list(credentials->x509, &trusted);
    count = gnutls_x509_trust_list_add_trust_mem(
        trusted, NULL, &text, GNUTLS_X509_FMT_PEM,
        GNUTLS_TL_VERIFY_CRL | GNUTLS_TL_FAIL_ON_INVALID_CRL, 0);
    free(text.data);
    return count > 0 || fail(to,
                             "tls-client-crl %s: expected lists in PEM, signed by authorities "
                             "of %s, found none or another",
                             c->tls_client_crl, c->tls_client_ca);
}

static bool read_names(tls_credentials *credentials, const config *c, const complaint *to)
{
    gnutls_datum_t text;

    if (c->tls_client_names[0] == '\0')
        return true;
    if (!read_text("tls-client-names", c->tls_client_names, &text, to))
        return false;
    credentials->names = (char *)text.data;
    return true;
}

/* A resumed session shows no certificate again, so there are none where it counts. */
static bool read_clients(tls_credentials *credentials, const config *c, const complaint *to)
{
    credentials->asks_clients = tls_asks_clients(c);
    if (credentials->asks_clients)
        return read_authorities(credentials, c, to) && read_revoked(credentials, c, to) &&
               read_names(credentials, c, to);
    return gnutls_session_ticket_key_generate(&credentials->ticket_key) >= 0 ||
           fail(to, "no random numbers for a key");
}

/* ---- All ------------------------------------------------------------------------------------- */

tls_credentials *tls_credentials_read(const config *c, size_t generation, char *message,
                                      size_t message_size)
{
    const complaint to = {message, message_size};
    tls_credentials *credentials;

    if (!have_all(c, &to))
        return NULL;
    credentials = calloc(1, sizeof *credentials);
    if (credentials == NULL || gnutls_certificate_allocate_credentials(&credentials->x509) < 0) {
        free(credentials);
        fail(&to, "no memory for certificates");
        return NULL;
    }
    atomic_init(&credentials->users, 1);
    credentials->generation = generation;
    if (!read_pair(credentials, c, &to) || !read_clients(credentials, c, &to)) {
        tls_credentials_release(credentials);
        return NULL;
    }
    return credentials;
}

void tls_credentials_release(tls_credentials *credentials)
{
    if (atomic_fetch_sub(&credentials->users, 1) > 1)
        return;
    gnutls_certificate_free_credentials(credentials->x509);
    if (credentials->ticket_key.data != NULL)
        gnutls_memset(credentials->ticket_key.data, 0, credentials->ticket_key.size);
    gnutls_free(credentials->ticket_key.data);
    free(credentials->names);
    free(credentials);
}
