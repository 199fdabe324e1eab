/* The peer of one connection, from before its handshake to its end. libmicrohttpd ends a handshake
 * that fails without a word, and tells nobody why. So this program has a gnutls_handshake of its
 * own, which libmicrohttpd finds before GnuTLS's: it sends the alert, and counts. */
#include "tls/tls.h"

#include "observe/log.h"
#include "observe/metrics.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Longer heads are sent alone. */
#define KEPT_HEAD_MAX 1024
/* RFC 8446, section 5.1: of plain text in a record. */
#define RECORD_MAX 16384

struct tls_peer {
    tls *owner;
    tls_credentials *held; /* those of its handshake */
    gnutls_session_t session;
    int fd;
    const char *address;
    size_t judged; /* by the credentials of this generation */
    bool began;    /* its first byte has come */
    bool is_plain; /* that was none of TLS */
    bool refused;  /* by its certificate */
    char name[TLS_NAME_SIZE];
    bool expects_head;  /* of a response with a body */
    size_t head_length; /* of one that waits for its body */
    char head[KEPT_HEAD_MAX];
};

/* ---- Plain HTTP ------------------------------------------------------------------------------ */

static const char plain_problem[] =
    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
    "\"detail\":\"expected TLS at this address, found plain HTTP: use https://\","
    "\"code\":\"tls_expected\"}";

static void answer_in_plain(int fd)
{
    char response[512];
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 400 Bad Request\r\nServer: gradientd\r\n"
                          "Content-Type: application/problem+json\r\n"
                          "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                          sizeof plain_problem - 1, plain_problem);

    send(fd, response, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Reads for GnuTLS. A method begins with a letter, TLS with the type of its first record, 22
 * (RFC 8446, section 5.1). Who speaks HTTP is told, and then is one whose connection broke. */
static ssize_t pull(gnutls_transport_ptr_t context, void *bytes, size_t size)
{
    tls_peer *peer = context;
    ssize_t got = recv(peer->fd, bytes, size, 0);

    if (got > 0 && !peer->began) {
        char first = *(const char *)bytes;
        peer->began = true;
        peer->is_plain = first >= 'A' && first <= 'Z';
    }
    if (got > 0 && peer->is_plain) {
        answer_in_plain(peer->fd);
        errno = ECONNRESET;
        got = -1;
    }
    if (got < 0)
        gnutls_transport_set_errno(peer->session, errno);
    return got;
}

/* ---- The handshake --------------------------------------------------------------------------- */

static void refuse(tls_peer *peer, const char *reason)
{
    peer->refused = true;
    metrics_count_rejection(REJECT_TLS_CLIENT);
    log_write(LOG_INFO, "client refused",
              (log_field[]){LOG_TEXT("reason", reason), LOG_TEXT("client", peer->name),
                            LOG_TEXT("peer", peer->address), LOG_END});
}

/* Called in the handshake, behind the client's certificate. */
static int judge(gnutls_session_t session)
{
    tls_peer *peer = gnutls_session_get_ptr(session);
    const char *reason = tls_judge_client(session, peer->held, peer->name);

    if (reason != NULL)
        refuse(peer, reason);
    return reason == NULL ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* GnuTLS has no fitting alert for a client of TLS 1.2 that shows none. */
static void send_alert(gnutls_session_t session, int status)
{
    if (status == GNUTLS_E_NO_CERTIFICATE_FOUND &&
        gnutls_protocol_get_version(session) == GNUTLS_TLS1_2)
        gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_HANDSHAKE_FAILURE);
    else
        gnutls_alert_send_appropriate(session, status);
}

static void on_failed(tls_peer *peer, int status)
{
    if (!peer->is_plain)
        send_alert(peer->session, status);
    if (status == GNUTLS_E_NO_CERTIFICATE_FOUND || status == GNUTLS_E_CERTIFICATE_REQUIRED)
        refuse(peer, "it showed no certificate");
    if (peer->refused)
        return;
    metrics_count_rejection(REJECT_TLS_HANDSHAKE);
    log_write(
        LOG_DEBUG, "handshake failed",
        (log_field[]){LOG_TEXT("reason", peer->is_plain ? "plain HTTP" : gnutls_strerror(status)),
                      LOG_TEXT("peer", peer->address), LOG_END});
}

/* In libmicrohttpd's place: see above. */
int gnutls_handshake(gnutls_session_t session)
{
    static int (*_Atomic found)(gnutls_session_t);
    int (*next)(gnutls_session_t) = found;
    tls_peer *peer = gnutls_session_get_ptr(session);
    int status;

    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "gnutls_handshake");
        found = next;
    }
    status = next(session);
    if (status != GNUTLS_E_AGAIN && status != GNUTLS_E_INTERRUPTED && status < 0)
        on_failed(peer, status);
    return status;
}

/* ---- From the beginning to the end ----------------------------------------------------------- */

static bool prepare(tls_peer *peer)
{
    tls_credentials *held = peer->held;
    gnutls_session_t session = peer->session;

    gnutls_session_set_ptr(session, peer);
    gnutls_transport_set_ptr2(session, peer, (gnutls_transport_ptr_t)(intptr_t)peer->fd);
    gnutls_transport_set_pull_function(session, pull);
    if (held->asks_clients) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_function(session, judge);
    } else if (gnutls_session_ticket_enable_server(session, &held->ticket_key) < 0) {
        return false;
    }
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, held->x509) >= 0;
}

tls_peer *tls_peer_begin(tls *t, gnutls_session_t session, const char *address)
{
    tls_peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        return NULL;
    peer->owner = t;
    peer->held = tls_take(t);
    peer->judged = peer->held->generation;
    peer->session = session;
    peer->fd = gnutls_transport_get_int(session);
    peer->address = address;
    if (prepare(peer))
        return peer;
    tls_peer_end(peer);
    return NULL;
}

const char *tls_peer_name(const tls_peer *peer)
{
    return peer != NULL ? peer->name : "";
}

/* GnuTLS verifies by a session's credentials: the new ones take their place for that long. */
const char *tls_peer_refusal(tls_peer *peer)
{
    tls_credentials *fresh;
    const char *reason;

    if (peer == NULL || !peer->held->asks_clients || tls_generation(peer->owner) == peer->judged)
        return NULL;
    fresh = tls_take(peer->owner);
    gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, fresh->x509);
    reason = tls_judge_client(peer->session, fresh, peer->name);
    gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE, peer->held->x509);
    if (reason == NULL)
        peer->judged = fresh->generation;
    tls_credentials_release(fresh);
    return reason;
}

void tls_peer_end(tls_peer *peer)
{
    if (peer == NULL)
        return;
    tls_credentials_release(peer->held);
    free(peer);
}

/* ---- Sending --------------------------------------------------------------------------------- */

gnutls_session_t tls_session(const tls_peer *peer)
{
    return peer->session;
}

int tls_descriptor(gnutls_session_t session)
{
    const tls_peer *peer = gnutls_session_get_ptr(session);

    return peer->fd;
}

void tls_expect_body(tls_peer *peer, bool has_body)
{
    if (peer != NULL)
        peer->expects_head = has_body;
}

/* 100 Continue is no head of the response. */
static bool keeps(tls_peer *peer, const char *bytes, size_t size)
{
    static const char version[] = "HTTP/1.1 ";
    bool is_head = size > sizeof version && memcmp(bytes, version, sizeof version - 1) == 0 &&
                   bytes[sizeof version - 1] != '1';

    if (!peer->expects_head || !is_head)
        return false;
    peer->expects_head = false;
    if (size > sizeof peer->head)
        return false;
    memcpy(peer->head, bytes, size);
    peer->head_length = size;
    return true;
}

/* A record holds less where the peer says so (RFC 8449). One that does not go out has to be tried
 * again with the same bytes, and is. */
static ssize_t send_behind_head(tls_peer *peer, const char *bytes, size_t size)
{
    char record[RECORD_MAX];

    for (;;) {
        size_t head = peer->head_length, room = sizeof record - head;
        size_t first = size < room ? size : room;
        ssize_t sent;

        memcpy(record, peer->head, head);
        memcpy(record + head, bytes, first);
        sent = gnutls_record_send2(peer->session, record, head + first, 0, 0);
        if (sent <= 0 || (size_t)sent > head) {
            peer->head_length = sent > 0 ? 0 : head;
            return sent > 0 ? sent - (ssize_t)head : sent;
        }
        peer->head_length = head - (size_t)sent;
        memmove(peer->head, peer->head + sent, peer->head_length);
    }
}

ssize_t tls_send(gnutls_session_t session, const void *bytes, size_t size)
{
    tls_peer *peer = gnutls_session_get_ptr(session);

    if (peer != NULL && keeps(peer, bytes, size))
        return (ssize_t)size;
    if (peer != NULL && peer->head_length > 0)
        return send_behind_head(peer, bytes, size);
    return gnutls_record_send2(session, bytes, size, 0, 0);
}

bool tls_send_whole(gnutls_session_t session, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = gnutls_record_send2(session, bytes, size, 0, 0);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

int tls_retrieve_nothing(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                         const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                         gnutls_pcert_st **certificates, unsigned *certificate_count,
                         gnutls_privkey_t *key)
{
    (void)session, (void)authorities, (void)count, (void)algorithms, (void)algorithm_count;
    (void)certificates, (void)certificate_count, (void)key;
    return GNUTLS_E_INSUFFICIENT_CREDENTIALS;
}
