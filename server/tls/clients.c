/* Which clients may come in: the certificate's chain, its purpose, and its names. A client's names
 * are the DNS names and URIs of its subjectAltName, or its common name where it has none of these
 * (RFC 6125, section 6.4.4). They are compared whole, letters in either case; nothing is a
 * wildcard. */
#include "tls/tls.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r"

/* Whether a line of the list, without blanks around it and what follows a #, is that name. */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    if (strpbrk(name, "#\n") != NULL)
        return false;
    for (const char *line = list; *line != '\0'; line += strcspn(line, "\n")) {
        const char *begin;
        line += *line == '\n';
        begin = line + strspn(line, BLANKS);
        if (length > 0 && strncasecmp(begin, name, length) == 0) {
            const char *rest = begin + length + strspn(begin + length, BLANKS);
            bool ended = rest > begin + length || *rest == '\n' || *rest == '\0';
            if (ended && (*rest == '\n' || *rest == '\0' || *rest == '#'))
                return true;
        }
    }
    return false;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Looks at one name of a certificate; the first stays unless a later one is listed. True: stop. */
static bool look_at(const char *found, size_t size, const char *list, char name[TLS_NAME_SIZE])
{
    bool whole = size < TLS_NAME_SIZE && strlen(found) == size;

    if (!whole || size == 0)
        return false;
    if (list != NULL && is_listed(list, found)) {
        snprintf(name, TLS_NAME_SIZE, "%s", found);
        return true;
    }
    if (name[0] == '\0')
        snprintf(name, TLS_NAME_SIZE, "%s", found);
    return false;
}

static bool find_alternative(gnutls_x509_crt_t certificate, const char *list, bool *has_any,
                             char name[TLS_NAME_SIZE])
{
    for (unsigned i = 0;; i++) {
        char found[TLS_NAME_SIZE] = "";
        size_t size = sizeof found;
        int kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, found, &size, NULL);
        bool counts = kind == GNUTLS_SAN_DNSNAME || kind == GNUTLS_SAN_URI;
        if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
        *has_any |= counts || kind == GNUTLS_E_SHORT_MEMORY_BUFFER;
        if (counts && look_at(found, size, list, name))
            return true;
    }
}

static bool find_common(gnutls_x509_crt_t certificate, const char *list, char name[TLS_NAME_SIZE])
{
    char found[TLS_NAME_SIZE] = "";
    size_t size = sizeof found;

    return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, found,
                                         &size) >= 0 &&
           look_at(found, size, list, name);
}

/* Whether a listed name is among the certificate's; list NULL: no. */
static bool find_name(gnutls_session_t session, const char *list, char name[TLS_NAME_SIZE])
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t certificate;
    bool has_any = false, listed;

    name[0] = '\0';
    if (count == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return false;
    listed = gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
             (find_alternative(certificate, list, &has_any, name) ||
              (!has_any && find_common(certificate, list, name)));
    gnutls_x509_crt_deinit(certificate);
    return listed;
}

/* ---- The verdict ----------------------------------------------------------------------------- */

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } rows[] = {
        {GNUTLS_CERT_REVOKED, "its certificate is revoked"},
        {GNUTLS_CERT_EXPIRED, "its certificate has expired"},
        {GNUTLS_CERT_NOT_ACTIVATED, "its certificate is not valid yet"},
        {GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, "tls-client-crl has expired"},
        {GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, "tls-client-crl is not valid yet"},
        {GNUTLS_CERT_PURPOSE_MISMATCH, "its certificate is not for clients"},
        {GNUTLS_CERT_SIGNER_NOT_FOUND, "its certificate is of no authority of tls-client-ca"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((status & rows[i].status) != 0)
            return rows[i].reason;
    return "its certificate does not verify";
}

const char *tls_judge_client(gnutls_session_t session, const tls_credentials *credentials,
                             char name[TLS_NAME_SIZE])
{
    /* GnuTLS takes a pointer to what it may not change as unsigned char *. */
    static unsigned char for_clients[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = for_clients};
    bool listed = find_name(session, credentials->names, name);
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
        return "it showed no certificate";
    if (status != 0)
        return reason_of(status);
    return credentials->names != NULL && !listed ? "its name is not in tls-client-names" : NULL;
}
