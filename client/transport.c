/* HTTP by libcurl: a small pool of easy handles, each with its kept-alive connection.
 *
 * Proxies are libcurl's default: http_proxy and no_proxy of the environment count. */
#include "transport.h"

#include "options.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IDLE_CONNECTIONS 16
#define TRANSFER_BUFFER_SIZE 131072L
#define LENGTH_HEADER "Inference-Header-Content-Length"

/* One handle and what its callbacks need during an exchange. */
typedef struct connection {
    struct connection *next;
    CURL *easy;
    char error[CURL_ERROR_SIZE];
    const client_request *request;
    size_t segment; /* the position in the body that is being sent */
    size_t offset;
    char length_text[64];            /* the header LENGTH_HEADER of the body, and its place */
    struct curl_slist length_header; /* before the others */
    client_head head;                /* of the response; no status: not read yet */
} connection;

struct client_transport {
    char **urls; /* as far as the paths of the service begin */
    size_t url_count;
    _Atomic size_t current;            /* among urls */
    char *ca_file, *certificate, *key; /* NULL: none */
    long connect_timeout_ms;
    struct curl_slist *headers;      /* of every request */
    struct curl_slist *post_headers; /* with that of a body */
    pthread_mutex_t lock;            /* guards the two below */
    connection *idle;
    size_t idle_count;
};

static pthread_once_t libcurl_once = PTHREAD_ONCE_INIT;
static CURLcode libcurl_state;

static void start_libcurl(void)
{
    libcurl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t send_body(char *buffer, size_t size, size_t count, void *context)
{
    connection *c = context;
    size_t room = size * count;
    size_t done = 0;

    while (done < room && c->segment < c->request->segment_count) {
        const grad_segment *segment = &c->request->segments[c->segment];
        size_t piece = segment->length - c->offset;
        if (piece > room - done)
            piece = room - done;
        if (piece > 0)
            memcpy(buffer + done, segment->text + c->offset, piece);
        done += piece;
        c->offset += piece;
        if (c->offset == segment->length) {
            c->segment++;
            c->offset = 0;
        }
    }
    return done;
}

/* libcurl begins again where a kept-alive connection turns out to be dead; always at 0. */
static int rewind_body(void *context, curl_off_t offset, int origin)
{
    connection *c = context;

    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    c->segment = 0;
    c->offset = 0;
    return CURL_SEEKFUNC_OK;
}

static void read_head(connection *c)
{
    struct curl_header *header;
    long http_status = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http_status);
    c->head = (client_head){.http_status = (int)http_status};
    if (curl_easy_header(c->easy, LENGTH_HEADER, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return;
    c->head.document_length = SIZE_MAX;
    if (header->amount == 1 && header->value[0] != '\0' && strlen(header->value) < 19 &&
        header->value[strspn(header->value, "0123456789")] == '\0')
        c->head.document_length = strtoull(header->value, NULL, 10);
}

static size_t receive_body(char *bytes, size_t size, size_t count, void *context)
{
    connection *c = context;

    if (c->head.http_status == 0)
        read_head(c);
    if (!c->request->receive(c->request->context, &c->head, bytes, size * count))
        return size * count == 0 ? 1 : 0;
    return size * count;
}

/* What is the same for every exchange. */
static bool set_constants(const client_transport *transport, connection *c)
{
    CURL *easy = c->easy;
    bool ok = true;

    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_USERAGENT, "gradient/" GRAD_VERSION) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, TRANSFER_BUFFER_SIZE) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, TRANSFER_BUFFER_SIZE) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, transport->connect_timeout_ms) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_READDATA, c) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SEEKDATA, c) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, c) == CURLE_OK;
    return ok;
}

/* Where libcurl knows no TLS, https:// fails with its own words. */
static bool set_tls(const client_transport *transport, CURL *easy)
{
    bool ok = true;

    if (transport->ca_file != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, transport->ca_file) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (transport->certificate != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_SSLCERT, transport->certificate) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_SSLKEY, transport->key) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    return ok;
}

static void connection_destroy(connection *c)
{
    if (c != NULL) {
        curl_easy_cleanup(c->easy);
        free(c);
    }
}

static connection *connection_create(const client_transport *transport)
{
    connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->easy = curl_easy_init();
    if (c->easy == NULL || !set_constants(transport, c) || !set_tls(transport, c->easy)) {
        connection_destroy(c);
        return NULL;
    }
    return c;
}

/* The connection used last comes first: it is the likeliest to be alive. */
static connection *acquire(client_transport *transport)
{
    connection *c;

    pthread_mutex_lock(&transport->lock);
    c = transport->idle;
    if (c != NULL) {
        transport->idle = c->next;
        transport->idle_count--;
    }
    pthread_mutex_unlock(&transport->lock);
    return c != NULL ? c : connection_create(transport);
}

static void release(client_transport *transport, connection *c)
{
    bool keep;

    pthread_mutex_lock(&transport->lock);
    keep = transport->idle_count < MAX_IDLE_CONNECTIONS;
    if (keep) {
        c->next = transport->idle;
        transport->idle = c;
        transport->idle_count++;
    }
    pthread_mutex_unlock(&transport->lock);
    if (!keep)
        connection_destroy(c);
}

size_t client_body_length(const client_request *request)
{
    size_t length = 0;

    for (size_t s = 0; s < request->segment_count; s++)
        length += request->segments[s].length;
    return length;
}

static struct curl_slist *post_headers(const client_transport *transport, connection *c,
                                       size_t document_length)
{
    if (document_length == 0)
        return transport->post_headers;
    snprintf(c->length_text, sizeof c->length_text, LENGTH_HEADER ": %zu", document_length);
    c->length_header = (struct curl_slist){.data = c->length_text, .next = transport->post_headers};
    return &c->length_header;
}

static bool set_request(const client_transport *transport, connection *c,
                        const client_request *request, double timeout)
{
    double timeout_ms = timeout * 1000 < 1 ? 1 : timeout * 1000;
    const char *base = client_transport_url(transport);
    const char *socket_path = client_address_path(base);
    char *url = NULL;
    bool ok;

    if (asprintf(&url, "%s%s", socket_path != NULL ? "http://localhost" : base, request->path) < 0)
        return false;
    ok = curl_easy_setopt(c->easy, CURLOPT_URL, url) == CURLE_OK &&
         curl_easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, socket_path) == CURLE_OK;
    free(url);
    ok = ok && curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
    if (request->segments == NULL) {
        ok = ok && curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, transport->headers) == CURLE_OK;
        return ok && curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER,
                                post_headers(transport, c, request->document_length)) == CURLE_OK;
    ok = ok && curl_easy_setopt(c->easy, CURLOPT_POST, 1L) == CURLE_OK;
    return ok && curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                  (curl_off_t)client_body_length(request)) == CURLE_OK;
}

static client_fault fault_of(CURL *easy, CURLcode code)
{
    static const struct {
        CURLcode code;
        client_fault fault;
    } faults[] = {
        {CURLE_OK, CLIENT_FAULT_NONE},
        {CURLE_WRITE_ERROR, CLIENT_FAULT_STOPPED},
        {CURLE_UNSUPPORTED_PROTOCOL, CLIENT_FAULT_GARBAGE}, /* no status line: HTTP/0.9 */
        {CURLE_WEIRD_SERVER_REPLY, CLIENT_FAULT_GARBAGE},
        {CURLE_FILESIZE_EXCEEDED, CLIENT_FAULT_GARBAGE}, /* a Content-Length beyond numbers */
        {CURLE_BAD_CONTENT_ENCODING, CLIENT_FAULT_GARBAGE},
        {CURLE_COULDNT_RESOLVE_PROXY, CLIENT_FAULT_CONNECTION},
        {CURLE_COULDNT_RESOLVE_HOST, CLIENT_FAULT_CONNECTION},
        {CURLE_COULDNT_CONNECT, CLIENT_FAULT_CONNECTION},
        {CURLE_PARTIAL_FILE, CLIENT_FAULT_CONNECTION},
        {CURLE_GOT_NOTHING, CLIENT_FAULT_CONNECTION},
        {CURLE_SEND_ERROR, CLIENT_FAULT_CONNECTION},
        {CURLE_RECV_ERROR, CLIENT_FAULT_CONNECTION},
        {CURLE_SSL_CONNECT_ERROR, CLIENT_FAULT_CONNECTION},
        {CURLE_PEER_FAILED_VERIFICATION, CLIENT_FAULT_UNTRUSTED},
        {CURLE_SSL_CERTPROBLEM, CLIENT_FAULT_FILES},
        {CURLE_SSL_CACERT_BADFILE, CLIENT_FAULT_FILES},
    };
    long request_size = 0;

    /* A timeout before the first byte of the request went out: the peer can't be reached. */
    if (code == CURLE_OPERATION_TIMEDOUT) {
        curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_size);
        return request_size > 0 ? CLIENT_FAULT_TIMEOUT : CLIENT_FAULT_CONNECTION;
    }
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i].code == code)
            return faults[i].fault;
    return CLIENT_FAULT_INTERNAL;
}

static void read_response(connection *c, CURLcode code, client_exchange *exchange)
{
    const char *type = NULL;
    curl_off_t retry_after = 0, length = 0, received = 0;
    long http_status = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http_status);
    curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    exchange->fault = fault_of(c->easy, code);
    /* The end of the connection may cut off headers: libcurl takes them for an empty response. */
    if (code == CURLE_OK && http_status == 200 && length < 0 && received == 0) {
        exchange->fault = CLIENT_FAULT_CONNECTION;
        snprintf(c->error, sizeof c->error, "it ended before the answer's body");
    }
    exchange->http_status = (int)http_status;
    exchange->retry_after = retry_after > 0 ? (double)retry_after : 0;
    snprintf(exchange->content_type, sizeof exchange->content_type, "%s", type != NULL ? type : "");
    snprintf(exchange->message, sizeof exchange->message, "%s",
             c->error[0] != '\0' ? c->error : curl_easy_strerror(code));
    client_redact(exchange->message); /* of a proxy of the environment, perhaps */
}

void client_transport_exchange(client_transport *transport, const client_request *request,
                               double timeout, client_exchange *exchange)
{
    connection *c = acquire(transport);

    memset(exchange, 0, sizeof *exchange);
    if (c == NULL || !set_request(transport, c, request, timeout)) {
        connection_destroy(c);
        exchange->fault = CLIENT_FAULT_INTERNAL;
        snprintf(exchange->message, sizeof exchange->message, "libcurl can't make a request");
        return;
    }
    c->request = request;
    c->head = (client_head){0};
    c->segment = 0;
    c->offset = 0;
    c->error[0] = '\0';
    read_response(c, curl_easy_perform(c->easy), exchange);
    c->request = NULL;
    release(transport, c);
}

static bool add_header(void *context, const char *header)
{
    struct curl_slist **list = context;
    struct curl_slist *longer = curl_slist_append(*list, header);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool copy_text(char **to, const char *text)
{
    *to = text != NULL ? strdup(text) : NULL;
    return text == NULL || *to != NULL;
}

static bool copy_urls(client_transport *transport, char (*urls)[CLIENT_ADDRESS_SIZE])
{
    size_t count = 0;

    while (urls[count][0] != '\0')
        count++;
    transport->urls = calloc(count, sizeof *transport->urls);
    for (; transport->urls != NULL && transport->url_count < count; transport->url_count++)
        if (!copy_text(&transport->urls[transport->url_count], urls[transport->url_count]))
            return false;
    return transport->urls != NULL;
}

static bool copy_options(client_transport *transport, const gradient_client_options *options)
{
    return copy_text(&transport->ca_file, options->ca_file) &&
           copy_text(&transport->certificate, options->certificate) &&
           copy_text(&transport->key, options->key) &&
           client_options_visit_headers(options, add_header, &transport->headers) &&
           add_header(&transport->post_headers, "Content-Type: application/json") &&
           client_options_visit_headers(options, add_header, &transport->post_headers);
}

client_transport *client_transport_create(char (*urls)[CLIENT_ADDRESS_SIZE],
                                          const gradient_client_options *options)
{
    double connect_ms = options->connect_timeout * 1000;
    client_transport *transport;

    pthread_once(&libcurl_once, start_libcurl);
    transport = libcurl_state == CURLE_OK ? calloc(1, sizeof *transport) : NULL;
    if (transport == NULL)
        return NULL;
    pthread_mutex_init(&transport->lock, NULL);
    transport->connect_timeout_ms = (long)(connect_ms < 1 ? 1 : connect_ms);
    if (!copy_urls(transport, urls) || !copy_options(transport, options)) {
        client_transport_destroy(transport);
        return NULL;
    }
    return transport;
}

const char *client_transport_url(const client_transport *transport)
{
    return transport->urls[atomic_load(&transport->current)];
}

size_t client_transport_count(const client_transport *transport)
{
    return transport->url_count;
}

/* Another thread may have moved on already. */
void client_transport_move_on(client_transport *transport, const char *url)
{
    size_t current = atomic_load(&transport->current);

    if (transport->urls[current] == url) {
        atomic_compare_exchange_strong(&transport->current, &current,
                                       (current + 1) % transport->url_count);
    }
}

void client_transport_destroy(client_transport *transport)
{
    if (transport == NULL)
        return;
    while (transport->idle != NULL) {
        connection *c = transport->idle;
        transport->idle = c->next;
        connection_destroy(c);
    }
    curl_slist_free_all(transport->headers);
    curl_slist_free_all(transport->post_headers);
    pthread_mutex_destroy(&transport->lock);
    for (size_t i = 0; i < transport->url_count; i++)
        free(transport->urls[i]);
    free(transport->urls);
    free(transport->ca_file);
    free(transport->certificate);
    free(transport->key);
    free(transport);
}
