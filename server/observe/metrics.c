/* The daemon's counters and their text (Prometheus exposition format 0.0.4). Counters are relaxed
 * atomics: each is right by itself, and a scrape is no snapshot of all of them. */
#include "observe/metrics.h"

#include "platform/resources.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>

#define LARGEST_STATUS 599
#define LONGEST_DURATION 1e9 /* seconds; keeps the sum of nanoseconds within its 64 bits */

/* Upper bounds of the histograms' buckets in seconds; one more bucket holds what is above. */
static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
#define BOUND_COUNT (sizeof bounds / sizeof *bounds)

typedef struct histogram {
    _Atomic uint64_t buckets[BOUND_COUNT + 1];
    _Atomic uint64_t nanoseconds;
} histogram;

static _Atomic uint64_t requests[ROUTE_COUNT][LARGEST_STATUS + 1];
static _Atomic uint64_t rejections[REJECT_COUNT];
static _Atomic uint64_t logins[LOGIN_COUNT];
static _Atomic uint64_t lingering_ends[LINGERING_END_COUNT];
static _Atomic uint64_t received_bytes, sent_bytes, lost_lines;
static histogram stages[STAGE_COUNT];

static const char *const route_names[ROUTE_COUNT] = {
    [ROUTE_GRADIENTS] = "/v1/gradients",
    [ROUTE_BACKPROP] = "/v1/backprop",
    [ROUTE_CHECK] = "/v1/check",
    [ROUTE_INFERENCE] = "/v2/models/dense/infer",
    [ROUTE_INFO] = "/v1/info",
    [ROUTE_MODEL] = "/v2",
    [ROUTE_HEALTH] = "health",
    [ROUTE_METRICS] = "/metrics",
    [ROUTE_OTHER] = "other",
};

static const char *const stage_names[STAGE_COUNT] = {
    [STAGE_RECEIVE] = "receive", [STAGE_DECODE] = "decode", [STAGE_QUEUE] = "queue",
    [STAGE_COMPUTE] = "compute", [STAGE_ENCODE] = "encode", [STAGE_TOTAL] = "total",
};

static const char *const rejection_names[REJECT_COUNT] = {
    [REJECT_BODY_TOO_LARGE] = "body_too_large",
    [REJECT_RESULT_TOO_LARGE] = "result_too_large",
    [REJECT_MEMORY] = "memory",
    [REJECT_OVERLOADED] = "overloaded",
    [REJECT_QUEUE_FULL] = "queue_full",
    [REJECT_QUEUE_TIMEOUT] = "queue_timeout",
    [REJECT_CONNECTIONS] = "connections",
    [REJECT_PEER_CONNECTIONS] = "peer_connections",
    [REJECT_DESCRIPTORS] = "descriptors",
    [REJECT_DRAINING] = "draining",
    [REJECT_DEADLINE] = "deadline",
    [REJECT_SLOW_HEADER] = "slow_header",
    [REJECT_SLOW_BODY] = "slow_body",
    [REJECT_SLOW_READER] = "slow_reader",
    [REJECT_BAD_FRAMING] = "bad_framing",
    [REJECT_CLIENT_GONE] = "client_gone",
    [REJECT_QUOTA] = "quota",
    [REJECT_TLS_HANDSHAKE] = "tls_handshake",
    [REJECT_TLS_CLIENT] = "tls_client",
    [REJECT_HOST] = "host",
};

static const char *const login_names[LOGIN_COUNT] = {
    [LOGIN_MISSING] = "missing",
    [LOGIN_MALFORMED] = "malformed",
    [LOGIN_UNKNOWN] = "unknown",
    [LOGIN_EXPIRED] = "expired",
};

static const char *const lingering_end_names[LINGERING_END_COUNT] = {
    [LINGERING_PEER_CLOSED] = "peer_closed",
    [LINGERING_TOO_LONG] = "too_long",
    [LINGERING_TOO_LARGE] = "too_large",
    [LINGERING_CROWDED_OUT] = "crowded_out",
};

static void add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static uint64_t value_of(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_count_request(metrics_route route, int http_status)
{
    bool known = http_status >= 0 && http_status <= LARGEST_STATUS;

    add(&requests[route][known ? http_status : 0], 1);
}

void metrics_count_bytes(size_t received, size_t sent)
{
    add(&received_bytes, received);
    add(&sent_bytes, sent);
}

void metrics_observe_stage(metrics_stage stage, double seconds)
{
    double duration = seconds > 0 ? seconds : 0; /* 0 for a NaN too */
    size_t bucket;

    if (duration > LONGEST_DURATION)
        duration = LONGEST_DURATION;
    bucket = 0;
    while (bucket < BOUND_COUNT && duration > bounds[bucket])
        bucket++;
    add(&stages[stage].buckets[bucket], 1);
    add(&stages[stage].nanoseconds, (uint64_t)(duration * 1e9 + 0.5));
}

void metrics_count_rejection(metrics_rejection reason)
{
    add(&rejections[reason], 1);
}

void metrics_count_login(metrics_login reason)
{
    add(&logins[reason], 1);
}

void metrics_count_lingering(metrics_lingering_end how)
{
    add(&lingering_ends[how], 1);
}

void metrics_count_lost_line(void)
{
    add(&lost_lines, 1);
}

const char *metrics_rejection_name(metrics_rejection reason)
{
    return rejection_names[reason];
}

const char *metrics_login_name(metrics_login reason)
{
    return login_names[reason];
}

const char *metrics_route_name(metrics_route route)
{
    return route_names[route];
}

const char *metrics_stage_name(metrics_stage stage)
{
    return stage_names[stage];
}

/* ---- The families ---------------------------------------------------------------------------- */

typedef enum family {
    FAMILY_REQUESTS,
    FAMILY_STAGES,
    FAMILY_RECEIVED_BYTES,
    FAMILY_SENT_BYTES,
    FAMILY_REJECTIONS,
    FAMILY_LOGINS,
    FAMILY_LINGERING_ENDED,
    FAMILY_LOST_LINES,
    FAMILY_CONNECTIONS,
    FAMILY_LINGERING,
    FAMILY_IN_FLIGHT,
    FAMILY_QUEUE_WAITING,
    FAMILY_QUEUE_DEPTH,
    FAMILY_EXPECTED_WAIT,
    FAMILY_WORKERS,
    FAMILY_JOBS,
    FAMILY_RESERVED,
    FAMILY_BUDGET,
    FAMILY_UNSENT,
    FAMILY_DRAINING,
    FAMILY_TLS_LEFT,
    FAMILY_BUILD,
    FAMILY_START_TIME,
    FAMILY_RESIDENT,
    FAMILY_CPU,
    FAMILY_FILES,
    FAMILY_MOST_FILES
} family;

/* In the order of the text. */
static const metrics_family families[] = {
    [FAMILY_REQUESTS] =
        {"gradientd_requests_total", "counter", "route, status",
         "Requests answered, by route and HTTP status; 0: the connection ended "
         "first.",
         "A rising share of 5xx: the daemon refuses or fails, and "
         "gradientd_rejections_total says why. 4xx: a client sends what is wrong, and "
         "the log has its code. 0: clients leave, or are too slow."},
    [FAMILY_STAGES] =
        {"gradientd_stage_duration_seconds", "histogram", "stage",
         "Time requests spent in each stage.",
         "queue grows: more work comes than the workers do; add CPUs or replicas. "
         "receive grows: the network or the clients are slow. compute or decode grow: "
         "requests have become larger, or the CPU is shared."},
    [FAMILY_RECEIVED_BYTES] = {"gradientd_received_bytes_total", "counter", "",
                               "Bytes of bodies received.", "Plan the network by it."},
    [FAMILY_SENT_BYTES] = {"gradientd_sent_bytes_total", "counter", "", "Bytes of bodies sent.",
                           "Plan the network by it."},
    [FAMILY_REJECTIONS] =
        {"gradientd_rejections_total", "counter", "reason",
         "Requests and connections refused or cut off, by reason.",
         "memory, overloaded, queue_full, queue_timeout, connections, deadline: more comes than "
         "the daemon can do; add replicas. body_too_large, result_too_large: raise "
         "the limit that the problem names, or send less. slow_header, slow_body, "
         "slow_reader: slow or hostile clients, nothing to do while they are few. "
         "bad_framing: a broken proxy or an attack. quota: the bearer of a token asks for more "
         "than its line in the token file allows. host: a name that allow-host does not have. "
         "draining: a restart. client_gone: "
         "clients leave before their answer, mostly because they time out; see the queue stage. "
         "peer_connections: one address wants more than its share; behind a proxy set "
         "max-peer-connections. descriptors: raise the process's limit. tls_handshake: scanners, "
         "or clients of TLS 1.1. tls_client: the log has the client and "
         "the reason."},
    [FAMILY_LOGINS] =
        {"gradientd_login_failures_total", "counter", "reason",
         "Requests refused for want of a good token, by reason.",
         "missing: a client that was not given one. unknown: one that was revoked, or somebody "
         "who tries. expired: its bearer needs a new one. malformed: a broken client. The log has "
         "the peer, once a second."},
    [FAMILY_LINGERING_ENDED] =
        {"gradientd_lingering_ended_total", "counter", "reason",
         "Connections answered before their request ended, by what ended "
         "the discarding.",
         "All but peer_closed may stand for an answer that its client has not read: "
         "raise linger-timeout (too_long) or linger-size (too_large), or find out who "
         "is refused so often (crowded_out)."},
    [FAMILY_LOST_LINES] =
        {"gradientd_log_lines_lost_total", "counter", "",
         "Lines of the log that standard error did not take.",
         "Whatever reads standard error is too slow: speed it up, or set log-requests "
         "to off."},
    [FAMILY_CONNECTIONS] = {"gradientd_connections", "gauge", "", "Open connections.",
                            "Near max-connections new ones get 503: lower idle-timeout, raise max- "
                            "connections, or find the client that opens so many."},
    [FAMILY_LINGERING] =
        {"gradientd_lingering_connections", "gauge", "",
         "Connections answered before their request ended, whose rest is being "
         "discarded.",
         "Clients send on after a refusal; at 1,024 the oldest is reset. The log says "
         "who was refused, and why."},
    [FAMILY_IN_FLIGHT] =
        {"gradientd_in_flight", "gauge", "",
         "Requests between their headers and the end of their reply.",
         "High with few jobs running: clients send or read slowly. High with a long "
         "queue: overload."},
    [FAMILY_QUEUE_WAITING] =
        {"gradientd_queue_waiting", "gauge", "", "Requests waiting for their turn or a worker.",
         "Above 0 for long: the workers are the bottleneck; add CPUs or replicas."},
    [FAMILY_QUEUE_DEPTH] = {"gradientd_queue_depth", "gauge", "", "Requests that may wait.",
                            "It is set by queue-depth."},
    [FAMILY_EXPECTED_WAIT] =
        {"gradientd_expected_wait_seconds", "gauge", "",
         "Until all large requests that wait now have had their turns, by the speed measured.",
         "Near max-wait requests are refused: add CPUs or replicas."},
    [FAMILY_WORKERS] = {"gradientd_workers", "gauge", "", "Threads that compute.",
                        "It is set by workers, at start."},
    [FAMILY_JOBS] = {"gradientd_jobs_running", "gauge", "", "Requests being computed.",
                     "As many as there are workers, for long: all CPUs are busy."},
    [FAMILY_RESERVED] =
        {"gradientd_memory_leased_bytes", "gauge", "", "Bytes leased to requests.",
         "Near the budget requests are refused: raise memory-budget, or lower max- "
         "body. Above 0 on an idle daemon for longer than its timeouts: report it."},
    [FAMILY_BUDGET] = {"gradientd_memory_budget_bytes", "gauge", "", "Bytes that may be leased.",
                       "It is set by memory-budget, at start."},
    [FAMILY_UNSENT] = {"gradientd_unsent_bytes", "gauge", "",
                       "Bytes of responses that the kernel holds until their clients take them.",
                       "They count as leased: where they grow, clients read slowly or not at all; "
                       "lower reply-timeout."},
    [FAMILY_DRAINING] = {"gradientd_draining", "gauge", "", "1 while the daemon is stopping.",
                         "1 outside a restart: somebody has sent SIGTERM."},
    [FAMILY_TLS_LEFT] =
        {"gradientd_tls_certificate_left_seconds", "gauge", "",
         "Until the first certificate of the service's chain expires.",
         "Below 30 days: renew it, put the files in place and send SIGHUP. Negative: clients that "
         "verify refuse the service. Missing: there is no TLS."},
    [FAMILY_BUILD] = {"gradientd_build_info", "gauge", "version, revision, compiler",
                      "Always 1; the labels say what runs.",
                      "Replicas that differ: a rollout is under way, or stuck."},
    [FAMILY_START_TIME] =
        {"process_start_time_seconds", "gauge", "", "Start of the process since 1970.",
         "It changes at each restart: often means crashes; look at the exit status."},
    [FAMILY_RESIDENT] =
        {"process_resident_memory_bytes", "gauge", "", "Resident memory.",
         "The budget, 64 KiB a connection and some 20 MB bound it. Growth over days "
         "at equal load: report it."},
    [FAMILY_CPU] = {"process_cpu_seconds_total", "counter", "", "CPU time, user and system.",
                    "At the number of CPUs (or the quota) the daemon is at its capacity."},
    [FAMILY_FILES] = {"process_open_fds", "gauge", "", "Open file descriptors.",
                      "One a connection, and some 20. Near the limit of the process no connection "
                      "is accepted: raise it (ulimit -n, LimitNOFILE)."},
    [FAMILY_MOST_FILES] = {"process_max_fds", "gauge", "", "File descriptors that may be open.",
                           "It is RLIMIT_NOFILE, and bounds max-connections at start."},
};

const metrics_family *metrics_family_at(size_t index)
{
    return index < sizeof families / sizeof *families ? &families[index] : NULL;
}

/* ---- The text -------------------------------------------------------------------------------- */

static void begin_family(grad_text *text, const metrics_family *f)
{
    grad_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, f->type);
}

static void write_single(grad_text *text, family which, double value)
{
    begin_family(text, &families[which]);
    grad_text_printf(text, "%s %.17g\n", families[which].name, value);
}

static void write_requests(grad_text *text)
{
    begin_family(text, &families[FAMILY_REQUESTS]);
    for (size_t route = 0; route < ROUTE_COUNT; route++) {
        for (size_t status = 0; status <= LARGEST_STATUS; status++) {
            uint64_t count = value_of(&requests[route][status]);
            if (count > 0) {
                grad_text_printf(
                    text, "gradientd_requests_total{route=\"%s\",status=\"%zu\"} %" PRIu64 "\n",
                    route_names[route], status, count);
            }
        }
    }
}

static void write_stage(grad_text *text, const char *name, histogram *h)
{
    uint64_t count = 0;

    for (size_t i = 0; i < BOUND_COUNT; i++) {
        count += value_of(&h->buckets[i]);
        grad_text_printf(
            text, "gradientd_stage_duration_seconds_bucket{stage=\"%s\",le=\"%g\"} %" PRIu64 "\n",
            name, bounds[i], count);
    }
    count += value_of(&h->buckets[BOUND_COUNT]);
    grad_text_printf(
        text, "gradientd_stage_duration_seconds_bucket{stage=\"%s\",le=\"+Inf\"} %" PRIu64 "\n",
        name, count);
    grad_text_printf(text, "gradientd_stage_duration_seconds_sum{stage=\"%s\"} %.9f\n", name,
                     (double)value_of(&h->nanoseconds) * 1e-9);
    grad_text_printf(text, "gradientd_stage_duration_seconds_count{stage=\"%s\"} %" PRIu64 "\n",
                     name, count);
}

static void write_stages(grad_text *text)
{
    begin_family(text, &families[FAMILY_STAGES]);
    for (size_t i = 0; i < STAGE_COUNT; i++)
        write_stage(text, stage_names[i], &stages[i]);
}

/* A counter with a value for each reason. */
static void write_reasons(grad_text *text, family which, const char *const *names,
                          _Atomic uint64_t *values, size_t count)
{
    begin_family(text, &families[which]);
    for (size_t i = 0; i < count; i++)
        grad_text_printf(text, "%s{reason=\"%s\"} %" PRIu64 "\n", families[which].name, names[i],
                         value_of(&values[i]));
}

static void write_gauges(const metrics_gauges *g, grad_text *text)
{
    const struct {
        family family;
        size_t value;
    } rows[] = {
        {FAMILY_CONNECTIONS, g->connections}, {FAMILY_LINGERING, g->lingering},
        {FAMILY_IN_FLIGHT, g->in_flight},     {FAMILY_QUEUE_WAITING, g->queue_waiting},
        {FAMILY_QUEUE_DEPTH, g->queue_depth}, {FAMILY_WORKERS, g->workers},
        {FAMILY_JOBS, g->workers_busy_jobs},  {FAMILY_RESERVED, g->memory_reserved},
        {FAMILY_BUDGET, g->memory_budget},    {FAMILY_UNSENT, g->memory_unsent},
        {FAMILY_DRAINING, g->draining},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        write_single(text, rows[i].family, (double)rows[i].value);
    write_single(text, FAMILY_EXPECTED_WAIT, g->expected_wait);
}

static void write_process(grad_text *text)
{
    const process_figures p = process_read();
    const struct {
        family family;
        double value;
    } rows[] = {
        {FAMILY_START_TIME, p.start_time}, {FAMILY_RESIDENT, p.resident_memory},
        {FAMILY_CPU, p.cpu_seconds},       {FAMILY_FILES, p.open_files},
        {FAMILY_MOST_FILES, p.most_files},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value >= 0)
            write_single(text, rows[i].family, rows[i].value);
}

void metrics_write(const metrics_gauges *gauges, grad_text *text)
{
    write_requests(text);
    write_stages(text);
    write_single(text, FAMILY_RECEIVED_BYTES, (double)value_of(&received_bytes));
    write_single(text, FAMILY_SENT_BYTES, (double)value_of(&sent_bytes));
    write_reasons(text, FAMILY_REJECTIONS, rejection_names, rejections, REJECT_COUNT);
    write_reasons(text, FAMILY_LOGINS, login_names, logins, LOGIN_COUNT);
    write_reasons(text, FAMILY_LINGERING_ENDED, lingering_end_names, lingering_ends,
                  LINGERING_END_COUNT);
    write_single(text, FAMILY_LOST_LINES, (double)value_of(&lost_lines));
    write_gauges(gauges, text);
    if (!isnan(gauges->tls_seconds_left))
        write_single(text, FAMILY_TLS_LEFT, gauges->tls_seconds_left);
    begin_family(text, &families[FAMILY_BUILD]);
    grad_text_printf(text,
                     "gradientd_build_info{version=\"%s\",revision=\"%s\",compiler=\"%s\"} 1\n",
                     GRAD_VERSION, GRADIENTD_REVISION, "gcc " __VERSION__);
    write_process(text);
}
