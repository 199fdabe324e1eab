/* Replaces the responses that libmicrohttpd gives by itself (to a request without a Host, to a
 * Content-Length that is no number, to a line that is too long) with problem documents. It has no
 * hook for them and its texts differ between versions; but it sends each in one call, in which ours
 * are known by their Server. So this program has a send and a sendmsg of its own, which
 * libmicrohttpd finds before libc's; and for TLS a gnutls_record_send, before GnuTLS's. */
#include "http/response.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local request_context *here;

/* The head of an error whose page comes by the next call, as libmicrohttpd sends both at once. */
static _Thread_local struct {
    gnutls_session_t session; /* NULL: none waits */
    int status;
} waiting;

/* ---- Whose response it is -------------------------------------------------------------------- */

void library_responses_enter(request_context *context)
{
    here = context;
    waiting.session = NULL; /* a session of old may have had the same address */
}

void library_responses_add(request *r)
{
    r->next_open = r->context->open;
    if (r->next_open != NULL)
        r->next_open->previous_open = r;
    r->context->open = r;
}

void library_responses_remove(request *r)
{
    if (r->previous_open != NULL)
        r->previous_open->next_open = r->next_open;
    else
        r->context->open = r->next_open;
    if (r->next_open != NULL)
        r->next_open->previous_open = r->previous_open;
}

static request *request_on(int fd)
{
    request *r = here != NULL ? here->open : NULL;

    while (r != NULL && r->connection->fd != fd)
        r = r->next_open;
    return r;
}

/* ---- What it says ---------------------------------------------------------------------------- */

/* A response of libmicrohttpd's: its status, and the page if there is one. */
typedef struct library_response {
    int status;
    const char *page;
    size_t page_size;
} library_response;

/* The status if text is the complete head of an error that is not ours, else 0. A piece of a body
 * is never taken for one: JSON strings hold no bare line ends. */
static int status_of_head(const char *text, size_t size)
{
    static const char version[] = "HTTP/1.1 ", end[] = "\r\n\r\n",
                      ours[] = "\r\nServer: gradientd\r\n";
    int status;

    if (size < sizeof version + sizeof end || memcmp(text, version, sizeof version - 1) != 0 ||
        memcmp(text + size - (sizeof end - 1), end, sizeof end - 1) != 0)
        return 0;
    status = (int)strtol(text + sizeof version - 1, NULL, 10);
    return status >= 400 && memmem(text, size, ours, sizeof ours - 1) == NULL ? status : 0;
}

/* The text of the page's body, without tags, quotation marks decoded. */
static void read_words(const library_response *a, char *words, size_t size)
{
    static const char begin[] = "<body>", quote[] = "&quot;";
    const char *at = memmem(a->page, a->page_size, begin, sizeof begin - 1);
    const char *end = a->page + a->page_size;
    size_t length = 0;

    while (at != NULL && at < end && length + 1 < size) {
        if (*at == '<') {
            at = memchr(at, '>', (size_t)(end - at));
            at += at != NULL;
        } else if ((size_t)(end - at) >= sizeof quote - 1 &&
                   memcmp(at, quote, sizeof quote - 1) == 0) {
            words[length++] = '"';
            at += sizeof quote - 1;
        } else {
            words[length++] = *at++;
        }
    }
    words[length] = '\0';
}

typedef struct meaning {
    int library_status;
    const char *phrase; /* in the page; "": any */
    int status;
    const char *code;
    const char *detail;
} meaning;

/* The first row that fits counts. */
static const meaning meanings[] = {
    {.library_status = 400,
     .phrase = "header required",
     .status = 400,
     .code = "bad_framing",
     .detail = "expected a Host, found none"},
    {.library_status = 400,
     .phrase = "<b>Content-Length</b>",
     .status = 400,
     .code = "bad_framing",
     .detail = "expected a Content-Length of digits alone, found another"},
    {.library_status = 413,
     .phrase = "<b>Content-Length</b>",
     .status = 413,
     .code = "body_too_large",
     .detail = "expected a Content-Length below 2^64, found a larger one"},
    {.library_status = 413,
     .phrase = "The chunk size used",
     .status = 413,
     .code = "body_too_large",
     .detail = "expected a chunk of less than 2^64 bytes, found a larger one"},
    {.library_status = 413,
     .phrase = "",
     .status = 413,
     .code = "body_too_large",
     .detail = "expected chunks whose lines fit the connection's buffer, found a longer one"},
    {.library_status = 414,
     .phrase = "",
     .status = 414,
     .code = "uri_too_long",
     .detail = "expected a request line that fits the connection's buffer, found a longer one"},
    {.library_status = 431,
     .phrase = "",
     .status = 431,
     .code = "headers_too_large",
     .detail = "expected headers that fit the connection's buffer, found longer ones"},
    {.library_status = 500,
     .phrase = "connection management",
     .status = 413,
     .code = "body_too_large",
     .detail = "expected chunks whose lines fit the connection's buffer, found a longer one"},
    {.library_status = 501,
     .phrase = "",
     .status = 400,
     .code = "bad_framing",
     .detail = "expected the transfer coding chunked, found another"},
    {.library_status = 505,
     .phrase = "",
     .status = 505,
     .code = "unsupported_version",
     .detail = "expected HTTP/1.1 or HTTP/1.0, found another version"},
};

/* Reports an unknown error in libmicrohttpd's words. */
static void reject_for(request *r, const library_response *a)
{
    char words[GRAD_DETAIL_SIZE / 2], detail[GRAD_DETAIL_SIZE];

    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const meaning *m = &meanings[i];
        if (m->library_status == a->status &&
            (m->phrase[0] == '\0' ||
             memmem(a->page, a->page_size, m->phrase, strlen(m->phrase)) != NULL)) {
            request_reject_with(r, m->status, m->code, m->detail);
            return;
        }
    }
    read_words(a, words, sizeof words);
    snprintf(detail, sizeof detail, "expected HTTP/1.1 as in RFC 9112, found something else%s%s",
             words[0] ? ": " : "", words);
    request_reject_with(r, MHD_HTTP_BAD_REQUEST, "bad_framing", detail);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Where a response goes. */
typedef struct outlet {
    int fd;
    int flags;
    gnutls_session_t session; /* NULL: plain */
} outlet;

static ssize_t pass_on(int fd, const struct msghdr *message, int flags)
{
    ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
    const request *r = sent > 0 && here != NULL && here->is_unix ? request_on(fd) : NULL;

    if (r != NULL)
        connection_sent(r->connection, (size_t)sent);
    return sent;
}

/* If the kernel does not take this little at once, the peer reads nothing, and the connection is
 * lost. */
static bool send_whole(const outlet *to, const grad_text *text)
{
    struct iovec whole = {.iov_base = text->data, .iov_len = text->length};
    const struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
    ssize_t sent;

    if (to->session != NULL)
        return tls_send_whole(to->session, text->data, text->length);
    sent = pass_on(to->fd, &message, to->flags);
    if (sent >= 0 && (size_t)sent < text->length)
        errno = ECONNRESET;
    return sent == (ssize_t)text->length;
}

/* Sends the problem instead. False: libmicrohttpd's own response must do. */
static bool send_problem(const outlet *to, request *r, bool *sent)
{
    grad_text text;

    r->closes = true;
    if (!response_print_problem(r, &text))
        return false;
    *sent = send_whole(to, &text);
    if (*sent)
        r->responded = r->sent = true;
    grad_text_free(&text);
    return true;
}

/* A request that was rejected before keeps its first reason. */
static bool replace(const outlet *to, const library_response *a, bool *sent)
{
    request *known = request_on(to->fd);
    request unknown = {.context = here};
    request *r = known != NULL ? known : &unknown;

    if (here == NULL || r->responded)
        return false;
    if (known == NULL)
        request_begin(r);
    if (r->status == 0) {
        reject_for(r, a);
        metrics_count_rejection(r->status == MHD_HTTP_BAD_REQUEST ? REJECT_BAD_FRAMING
                                                                  : REJECT_BODY_TOO_LARGE);
    }
    return send_problem(to, r, sent);
}

static ssize_t send_message(int fd, const struct msghdr *message, int flags)
{
    const struct iovec *parts = message->msg_iov;
    const outlet to = {.fd = fd, .flags = flags};
    library_response a = {.page = ""};
    bool sent;

    if (message->msg_iovlen > 0)
        a.status = status_of_head(parts[0].iov_base, parts[0].iov_len);
    if (message->msg_iovlen == 2) {
        a.page = parts[1].iov_base;
        a.page_size = parts[1].iov_len;
    }
    if (a.status == 0 || !replace(&to, &a, &sent))
        return pass_on(fd, message, flags);
    return sent ? (ssize_t)(parts[0].iov_len + a.page_size) : -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return send_message(fd, message, flags);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    return send_message(fd, &message, flags);
}

/* ---- Sending by TLS -------------------------------------------------------------------------- */

/* False: the connection is lost. */
static bool send_for(gnutls_session_t session, const void *page, size_t size)
{
    const outlet to = {.fd = tls_descriptor(session), .session = session};
    const library_response a = {.status = waiting.status, .page = page, .page_size = size};
    bool sent = false;

    waiting.session = NULL;
    return replace(&to, &a, &sent) && sent;
}

ssize_t gnutls_record_send(gnutls_session_t session, const void *bytes, size_t size)
{
    int status = status_of_head(bytes, size);

    if (waiting.session == session && session != NULL)
        return send_for(session, bytes, size) ? (ssize_t)size : GNUTLS_E_PUSH_ERROR;
    if (status == 0 || here == NULL)
        return tls_send(session, bytes, size);
    waiting.session = session;
    waiting.status = status;
    return (ssize_t)size;
}

/* A head without a page (HEAD) has waited in vain. */
int gnutls_bye(gnutls_session_t session, gnutls_close_request_t how)
{
    static int (*_Atomic found)(gnutls_session_t, gnutls_close_request_t);
    int (*next)(gnutls_session_t, gnutls_close_request_t) = found;

    if (waiting.session == session)
        send_for(session, "", 0);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "gnutls_bye");
        found = next;
    }
    return next(session, how);
}
