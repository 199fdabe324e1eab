/* Starting and stopping. Each part starts before its users and stops after them. */
#include "daemon.h"

#include "admission/admission.h"
#include "api/handlers.h"
#include "body/body.h"
#include "config/address.h"
#include "config/options.h"
#include "http/holding.h"
#include "net/activation.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "platform/clock.h"
#include "platform/resources.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Enough for every prober and scraper, and independent of what the service has. */
#define ADMIN_CONNECTIONS 256

/* Descriptors that are no connections: some 30 at rest, files that are read meanwhile, and for each
 * event loop. */
#define OTHER_DESCRIPTORS 64
#define DESCRIPTORS_OF_LOOP 4

/* The share of the memory budget that is kept for small requests. */
#define SMALL_SHARE 16

#define STOP_SECONDS 1
#define STOP_POLL_MS 5

static bool fail(char *message, size_t size, const char *reason)
{
    snprintf(message, size, "%s", reason);
    return false;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* That many, or where descriptors are few a part of them. */
static size_t share_of_descriptors(size_t most, size_t parts)
{
    size_t part = descriptors_allowed() / parts + 1;

    return part < most ? part : most;
}

static size_t admin_connections(void)
{
    return share_of_descriptors(ADMIN_CONNECTIONS, 4);
}

bool daemon_fit_descriptors(const config *loaded, config *c, char *message, size_t message_size)
{
    size_t allowed = descriptors_allowed();
    size_t others = admin_connections() + share_of_descriptors(LINGERING_MAX, 8) +
                    OTHER_DESCRIPTORS + DESCRIPTORS_OF_LOOP * c->event_loops;
    size_t most = allowed > others ? allowed - others : 0;

    if (c->max_connections <= most)
        return true;
    snprintf(message, message_size,
             "max-connections is %zu, but the process may have %zu descriptors and needs %zu of "
             "them otherwise: %zu are left; raise the limit (ulimit -n, LimitNOFILE) or lower "
             "max-connections",
             (size_t)c->max_connections, allowed, others, most);
    if (most == 0 || !value_is_default(option_find("max-connections"), loaded))
        return false;
    log_write(LOG_WARNING, "max-connections lowered to what the limit of descriptors allows",
              (log_field[]){LOG_NUMBER("from", c->max_connections), LOG_NUMBER("to", most),
                            LOG_NUMBER("descriptors", allowed),
                            LOG_NUMBER("needed_otherwise", others), LOG_END});
    c->max_connections = most;
    return true;
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* Few large requests at a time, so that the next peer's turn comes soon: one for each processor,
 * and where there are several some more, so that none is idle between two. Small requests seldom
 * leave their event loop. */
static line *create_line(service *s, const config *c)
{
    size_t threads = c->event_loops + c->workers;
    const size_t slots[LINE_CLASS_COUNT] = {[LINE_SMALL] = 4 * threads,
                                            [LINE_LARGE] = c->workers + c->workers / 2,
                                            [LINE_HUGE] = 1 + c->workers / 4,
                                            [LINE_LONG] = POOL_TURNS * c->workers};

    s->small_memory = c->memory_budget / SMALL_SHARE;
    return line_create(&s->memory, slots, c->queue_depth, s->small_memory);
}

static void tick(void *context, const connections *all)
{
    line_note_outside(context, connections_unsent(all));
    line_tick(context, clock_now());
}

static bool start_shared(gradientd *d, const config *c)
{
    service *s = &d->service;

    s->config = c;
    s->routes = &api_routes;
    s->formats = &body_formats_known;
    s->admit = admission_run;
    budget_init(&s->memory, c->memory_budget);
    s->line = create_line(s, c);
    s->workers = pool_create(c->workers, c->queue_depth);
    s->lingering = lingering_start(c, share_of_descriptors(LINGERING_MAX, 8));
    s->watcher = watcher_start(c);
    s->holding = holding_start();
    if (s->line == NULL || s->lingering == NULL || s->watcher == NULL || s->holding == NULL)
        return false;
    s->connections[ROLE_SERVICE] = connections_create(c, tick, s->line);
    s->connections[ROLE_ADMIN] = connections_create(c, NULL, NULL);
    d->loops[ROLE_SERVICE] =
        event_loops_start(s, ROLE_SERVICE, listener_is_unix(d->listeners[ROLE_SERVICE]),
                          c->event_loops, SERVICE_BUFFER);
    d->loops[ROLE_ADMIN] = event_loops_start(
        s, ROLE_ADMIN, listener_is_unix(d->listeners[ROLE_ADMIN]), 1, ADMIN_BUFFER);
    return s->workers != NULL && s->connections[ROLE_SERVICE] != NULL &&
           s->connections[ROLE_ADMIN] != NULL && d->loops[ROLE_SERVICE] != NULL &&
           d->loops[ROLE_ADMIN] != NULL;
}

/* Where TLS is wanted. */
static bool read_certificates(gradientd *d, const config *c, char *message, size_t message_size)
{
    if (!tls_is_wanted(c))
        return true;
    d->service.tls = tls_create(c, message, message_size);
    return d->service.tls != NULL;
}

/* The host of HOST:PORT. */
static int host_length(const char *address_text)
{
    const char *colon = strrchr(address_text, ':');

    return (int)(colon != NULL ? (size_t)(colon - address_text) : strlen(address_text));
}

/* On the loopback the names of this machine, so that no page can call the service by a name of its
 * own that leads here; whoever others reach is called by names that we cannot know. No page reaches
 * a Unix socket. */
static void list_own_hosts(gradientd *d, service_role role, int fd)
{
    const config *c = d->service.config;
    const char *asked = role == ROLE_SERVICE ? c->listen : c->admin_listen;
    const char *found = d->addresses[role];
    char *list = d->service.own_hosts[role];

    if (d->is_local[role] && !listener_is_unix(fd))
        snprintf(list, OWN_HOSTS_SIZE, "localhost, 127.0.0.1, [::1], %.*s, %.*s",
                 host_length(asked), asked, host_length(found), found);
    else
        snprintf(list, OWN_HOSTS_SIZE, "*");
}

static bool start_listeners(gradientd *d)
{
    const size_t limits[] = {d->service.config->max_connections, admin_connections()};
    bool started = true;

    for (int role = 0; role < ROLE_COUNT; role++) {
        int fd = d->listeners[role];
        acceptor_target target = event_loops_target(d->loops[role]);
        d->listeners[role] = -1;
        target.is_shared = d->is_shared[role];
        if (fd >= 0) {
            listener_address(fd, d->addresses[role]);
            d->is_local[role] = listener_is_local(fd);
            list_own_hosts(d, (service_role)role, fd);
            d->acceptors[role] = acceptor_start(fd, target, limits[role], d->service.lingering);
            started = started && d->acceptors[role] != NULL;
        }
    }
    return started;
}

/* Nobody shall serve the world by mistake. */
static bool is_guarded(const gradientd *d, const config *c, char *message, size_t message_size)
{
    int fd = d->listeners[ROLE_SERVICE];
    char found[LISTENER_ADDRESS_SIZE];

    if (listener_is_local(fd) || c->token_file[0] != '\0' || tls_asks_clients(c) || c->insecure)
        return true;
    listener_address(fd, found);
    snprintf(message, message_size,
             "others can reach %s, and nothing would ask who they are: set token-file (gradientd "
             "token NAME makes a token) or tls-client-ca, or listen on 127.0.0.1, or, where a "
             "proxy or a firewall asks for you, set insecure = on",
             d->is_shared[ROLE_SERVICE] ? found : c->listen);
    return false;
}

static bool open_access(gradientd *d, const config *c, char *message, size_t message_size)
{
    if (c->token_file[0] == '\0')
        return true;
    d->service.access = access_open(c->token_file, message, message_size);
    return d->service.access != NULL;
}

static void close_listeners(gradientd *d)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (d->listeners[role] >= 0)
            close(d->listeners[role]);
}

static int open_listener(const config *c, const char *where, char *message, size_t message_size)
{
    const char *path = address_unix_path(where);

    return path != NULL
               ? listener_open_unix(path, c->unix_mode, c->unix_owner, message, message_size)
               : listener_open(where, message, message_size);
}

/* Those that were handed over, or those of the configuration. False: some may be open. */
static bool open_listeners(gradientd *d, const config *c, char *message, size_t message_size)
{
    static const char *const names[ROLE_COUNT] = {"service", "admin"};
    const char *const addresses[] = {c->listen, c->admin_listen};

    if (!activation_take(names, d->listeners, ROLE_COUNT, message, message_size))
        return false;
    for (int role = 0; role < ROLE_COUNT; role++) {
        d->is_shared[role] = d->listeners[role] >= 0;
        if (d->is_shared[role] || addresses[role][0] == '\0')
            continue;
        d->listeners[role] = open_listener(c, addresses[role], message, message_size);
        if (d->listeners[role] < 0)
            return false;
    }
    return true;
}

bool daemon_open(gradientd *d, const config *c, char *message, size_t message_size)
{
    *d = (gradientd){.service = {.config = c}, .listeners = {-1, -1}};
    if (open_listeners(d, c, message, message_size) && is_guarded(d, c, message, message_size) &&
        open_access(d, c, message, message_size) && read_certificates(d, c, message, message_size))
        return true;
    close_listeners(d);
    access_close(d->service.access);
    return false;
}

bool daemon_start(gradientd *d, char *message, size_t message_size)
{
    if (!start_shared(d, d->service.config)) {
        close_listeners(d);
        daemon_stop(d);
        return fail(message, message_size, "no memory or no threads to start with");
    }
    if (!start_listeners(d)) {
        daemon_stop(d);
        return fail(message, message_size, "no memory or no threads to listen with");
    }
    return true;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

void daemon_end_readiness(gradientd *d)
{
    atomic_store(&d->service.draining, true);
}

void daemon_drain(gradientd *d)
{
    acceptor_stop(d->acceptors[ROLE_SERVICE]);
    d->acceptors[ROLE_SERVICE] = NULL;
}

bool daemon_is_drained(gradientd *d, bool linger)
{
    if (linger)
        connections_end_idle(d->service.connections[ROLE_SERVICE]);
    return event_loops_load(d->loops[ROLE_SERVICE]) == 0;
}

static void end_connections(gradientd *d)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (d->service.connections[role] != NULL)
            connections_end_all(d->service.connections[role]);
}

/* No loop may be stopped with a suspended connection. */
static bool wait_for_suspended(service *s)
{
    int64_t until = clock_now() + (int64_t)STOP_SECONDS * NS_PER_SECOND;

    while (atomic_load(&s->suspended) > 0) {
        if (clock_now() > until)
            return false;
        poll(NULL, 0, STOP_POLL_MS);
    }
    return true;
}

bool daemon_stop(gradientd *d)
{
    service *s = &d->service;

    atomic_store(&s->draining, true);
    atomic_store(&s->stopping, true);
    for (int role = 0; role < ROLE_COUNT; role++)
        acceptor_stop(d->acceptors[role]);
    end_connections(d);
    if (s->line != NULL)
        line_close(s->line);
    if (!wait_for_suspended(s))
        return false;
    for (int role = 0; role < ROLE_COUNT; role++)
        event_loops_stop(d->loops[role]);
    watcher_stop(s->watcher);
    lingering_stop(s->lingering);
    holding_stop(s->holding);
    pool_destroy(s->workers);
    for (int role = 0; role < ROLE_COUNT; role++)
        connections_destroy(s->connections[role]);
    line_destroy(s->line);
    access_close(s->access);
    tls_destroy(s->tls);
    return true;
}
