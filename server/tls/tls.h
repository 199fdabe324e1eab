/* TLS of the service's listener, by GnuTLS: the credentials that the configuration names, which a
 * reload replaces under the feet of nobody, and each connection's peer: whether it may come in, and
 * its name. Knows no HTTP; whoever owns the sessions makes them. */
#ifndef GRADIENTD_TLS_H
#define GRADIENTD_TLS_H

#include "config/config.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <time.h>

/* TLS 1.2 and 1.3, authenticated encryption with forward secrecy alone (RFC 9325, section 4.2). */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"       \
    "+CHACHA20-POLY1305"

/* A client's name is cut off where it is longer, and is then in no list. */
#define TLS_NAME_SIZE 256

/* ---- The service's credentials --------------------------------------------------------------- */

typedef struct tls tls;

/* Whether the configuration asks for TLS. */
bool tls_is_wanted(const config *c);

/* Whether whoever comes in needs a certificate: mutual TLS. */
bool tls_asks_clients(const config *c);

/* Reads the files that c names; c must outlive the object. NULL, and in message which file is
 * wrong, what was expected of it and what was found. */
tls *tls_create(const config *c, char *message, size_t message_size);

/* Reads the files again. New connections meet the new credentials; open ones go on, and a client
 * with a certificate is judged anew before its next request. False: nothing changed, and message
 * has the reason. For one thread. */
bool tls_reload(tls *t, char *message, size_t message_size);

/* Seconds until the first certificate of the service's chain expires; negative behind that. */
double tls_seconds_left(const tls *t);

/* Logs a warning if that is soon (30 days), at most once a day. For one thread. */
void tls_warn_of_expiry(tls *t);

/* Every peer must have ended. NULL is fine. */
void tls_destroy(tls *t);

/* ---- A connection's peer --------------------------------------------------------------------- */

typedef struct tls_peer tls_peer;

/* Gives a new session, whose descriptor is set, the credentials in effect; without, it has none and
 * its handshake fails. address is the peer's, for the log, and must outlive it. NULL: no memory. */
tls_peer *tls_peer_begin(tls *t, gnutls_session_t session, const char *address);

/* The name in its certificate, once the handshake is over: of tls-client-names the one that is its
 * own, else its first. "": it has none, or peer is NULL. */
const char *tls_peer_name(const tls_peer *peer);

/* Whether its certificate is still good: judged again where a reload came between. The reason
 * otherwise; NULL: it is, or none is asked for, or peer is NULL. On the session's thread. */
const char *tls_peer_refusal(tls_peer *peer);

/* When its connection has ended. NULL is fine. */
void tls_peer_end(tls_peer *peer);

gnutls_session_t tls_session(const tls_peer *peer);

/* The descriptor of a session that has a peer. */
int tls_descriptor(gnutls_session_t session);

/* Whether the next response has a body: its head then waits for that, and both go out in one
 * record. On the session's thread. NULL is fine. */
void tls_expect_body(tls_peer *peer, bool has_body);

/* gnutls_record_send, but for such heads: those are taken at once. */
ssize_t tls_send(gnutls_session_t session, const void *bytes, size_t size);

/* Sends all of it at once. False: it went out not at all or in part, and the connection must end.
 * On the session's thread. */
bool tls_send_whole(gnutls_session_t session, const char *bytes, size_t size);

/* For a library that wants credentials of its own for each session: gives none. */
int tls_retrieve_nothing(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                         const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                         gnutls_pcert_st **certificates, unsigned *certificate_count,
                         gnutls_privkey_t *key);

/* ---- Between the files of this room ---------------------------------------------------------- */

/* What the files gave at one time. */
typedef struct tls_credentials {
    _Atomic size_t users; /* freed with the last */
    size_t generation;    /* counts the reloads */
    gnutls_certificate_credentials_t x509;
    gnutls_datum_t ticket_key; /* of sessions to be resumed; no data: none is */
    bool asks_clients;
    char *names;    /* of clients, one a line; NULL: any */
    time_t expires; /* the first of the chain to do so */
} tls_credentials;

/* Reads the files. The caller is its first user. NULL, with the reason in message. */
tls_credentials *tls_credentials_read(const config *c, size_t generation, char *message,
                                      size_t message_size);
void tls_credentials_release(tls_credentials *credentials);

/* Takes those in effect; release them. */
tls_credentials *tls_take(tls *t);

/* Which generation is in effect, without taking it. */
size_t tls_generation(tls *t);

/* Why the client of this session may not come in by these credentials, or NULL; and its name. */
const char *tls_judge_client(gnutls_session_t session, const tls_credentials *credentials,
                             char name[TLS_NAME_SIZE]);

#endif
