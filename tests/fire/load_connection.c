/* The connections of the load generator: which are free, what is sent and read, how a request
 * ends. Sockets never block; events are edges, so everything is read and written until it would. */
#include "fire/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void move_to(load_connection *connection, load_list *list)
{
    if (connection->list != NULL) {
        load_list *old = connection->list;

        *(connection->previous != NULL ? &connection->previous->next : &old->head) =
            connection->next;
        *(connection->next != NULL ? &connection->next->previous : &old->tail) =
            connection->previous;
    }
    connection->list = list;
    connection->previous = list->tail;
    connection->next = NULL;
    *(list->tail != NULL ? &list->tail->next : &list->head) = connection;
    list->tail = connection;
}

void load_places_open(load_class *class)
{
    class->places = calloc(class->connections, sizeof *class->places);
    if (class->places == NULL)
        exit(1);
    for (unsigned i = 0; i < class->connections; i++) {
        class->places[i].owner = class;
        class->places[i].fd = -1;
        move_to(&class->places[i], &class->closed_places);
    }
}

/* Closes with a reset, so that no port waits for late segments. */
static void hang_up(load_connection *connection)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (connection->fd < 0)
        return;
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection->fd);
    connection->fd = -1;
}

static bool bind_source(load_class *class, int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1;

    if (class->source == 0)
        return true;
    address.sin_addr.s_addr = htonl(class->source + class->opened++ % class->sources);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

static bool connect_place(load_run *load, load_connection *connection)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data = {.ptr = connection}};

    connection->fd = fd;
    if (fd < 0 || !bind_source(connection->owner, fd))
        return false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&load->target, sizeof load->target) != 0 &&
        errno != EINPROGRESS)
        return false;
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* The connection of a closed class waits a while before it sends again. */
static void rest(load_connection *connection)
{
    connection->sent = load_now();
    move_to(connection, &connection->owner->pausing);
}

/* A request has ended and its connection with it. */
static void give_up_connection(load_connection *connection)
{
    hang_up(connection);
    if (connection->owner->closed)
        rest(connection);
    else
        move_to(connection, &connection->owner->closed_places);
}

static void send_more(load_connection *connection)
{
    const load_class *class = connection->owner;

    while (connection->written < class->request_length) {
        ssize_t n = send(connection->fd, class->request + connection->written,
                         class->request_length - connection->written, MSG_NOSIGNAL);

        /* A reset shows again when the answer is read, which may have come before it. That there
         * is no listener is told once: the next call finds a connection that has ended. */
        if (n <= 0) {
            connection->refused = connection->refused || (n < 0 && errno == ECONNREFUSED);
            return;
        }
        connection->written += (size_t)n;
    }
}

static void begin(load_run *load, load_connection *connection)
{
    connection->written = 0;
    connection->answered = connection->refused = false;
    connection->response.head_length = connection->response.start_length = 0;
    connection->response.body_length = connection->response.body_read = 0;
    connection->response.status = 0;
    connection->response.closes = connection->response.differs = false;
    connection->reused = connection->fd >= 0;
    if (!connection->reused && !connect_place(load, connection)) {
        load_record(load, connection->owner, connection, "cannot connect");
        give_up_connection(connection);
        return;
    }
    send_more(connection);
}

bool load_send(load_run *load, load_class *class, uint64_t planned, uint64_t now)
{
    load_connection *connection =
        class->free_places.tail != NULL ? class->free_places.tail : class->closed_places.tail;

    if (connection == NULL)
        return false;
    move_to(connection, &class->in_flight);
    connection->planned = planned;
    connection->sent = now;
    connection->retried = false;
    if (connection->tries++ == 0)
        connection->first_try = now;
    class->sent++;
    load_row_of(load, class, now)->sent++;
    begin(load, connection);
    return true;
}

/* A request that found a kept connection closed is sent again, once: it was never taken. */
static void fail(load_run *load, load_connection *connection, const char *outcome)
{
    if (connection->answered) {
        give_up_connection(connection);
        return;
    }
    if (connection->reused && !connection->retried && connection->response.head_length == 0) {
        connection->retried = true;
        connection->owner->retried++;
        hang_up(connection);
        begin(load, connection);
        return;
    }
    load_record(load, connection->owner, connection, outcome);
    give_up_connection(connection);
}

/* Whether the peer has already closed, or sent what nobody asked for. */
static bool is_stale(const load_connection *connection)
{
    char byte;

    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

/* The answer is whole. The rest of the request still goes out where the connection is kept. */
static void finish(load_run *load, load_connection *connection)
{
    load_class *class = connection->owner;

    if (!connection->answered)
        load_record(load, class, connection, NULL);
    if (connection->response.status == 200)
        connection->tries = 0;
    connection->answered = true;
    if (connection->response.closes || is_stale(connection))
        hang_up(connection);
    else if (connection->written < class->request_length)
        return;
    if (class->closed && connection->response.status != 200)
        rest(connection);
    else
        move_to(connection, connection->fd < 0 ? &class->closed_places : &class->free_places);
}

/* How a connection broke: before a byte of the answer, or within it. */
static const char *how_it_broke(const load_connection *connection, const char *before)
{
    if (connection->refused)
        return "refused";
    return connection->response.head_length > 0 ? "cut off" : before;
}

static void read_more(load_run *load, load_connection *connection)
{
    static char bytes[1 << 18];

    for (;;) {
        ssize_t n = recv(connection->fd, bytes, sizeof bytes, 0);
        load_progress progress;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            connection->refused = connection->refused || errno == ECONNREFUSED;
            fail(load, connection, how_it_broke(connection, "reset"));
            return;
        }
        if (n == 0) {
            if (load_response_ends_by_close(&connection->response))
                finish(load, connection);
            else
                fail(load, connection, how_it_broke(connection, "closed"));
            return;
        }
        progress = connection->answered ? LOAD_MALFORMED
                                        : load_response_take(&connection->response,
                                                             connection->owner, bytes, (size_t)n);
        if (progress == LOAD_MALFORMED)
            fail(load, connection, "malformed");
        else if (progress == LOAD_WHOLE)
            finish(load, connection);
        if (progress != LOAD_MORE)
            return;
    }
}

void load_on_event(load_run *load, load_connection *connection)
{
    load_class *class = connection->owner;

    if (connection->fd < 0)
        return;
    if (connection->list != &class->in_flight) {
        if (is_stale(connection)) {
            hang_up(connection);
            if (connection->list == &class->free_places)
                move_to(connection, &class->closed_places);
        }
        return;
    }
    send_more(connection);
    if (connection->answered && connection->written == class->request_length)
        finish(load, connection);
    else
        read_more(load, connection);
}

void load_on_time(load_run *load, load_class *class, uint64_t now)
{
    uint64_t timeout = (uint64_t)(class->timeout * 1e6), pause = (uint64_t)(class->pause * 1e6);
    load_connection *first;

    while ((first = class->in_flight.head) != NULL && first->planned + timeout <= now) {
        if (!first->answered)
            load_record(load, class, first, "timeout");
        give_up_connection(first);
    }
    while ((first = class->pausing.head) != NULL && first->sent + pause <= now)
        move_to(first, first->fd < 0 ? &class->closed_places : &class->free_places);
}

void load_abandon(load_run *load, load_class *class)
{
    load_connection *first;

    while ((first = class->in_flight.head) != NULL) {
        if (!first->answered)
            load_record(load, class, first, "abandoned");
        hang_up(first);
        move_to(first, &class->closed_places);
    }
}
