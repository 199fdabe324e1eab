/* gradientd: the process. Reads what it was asked to do, prepares the ground (libraries, signals,
 * memory), runs the daemon and ends it. Exit statuses are listed in docs/architecture.md. */
#include "access/token_command.h"
#include "api/describe.h"
#include "api/state.h"
#include "config/config.h"
#include "confinement.h"
#include "daemon.h"
#include "net/healthcheck.h"
#include "observe/log.h"
#include "platform/clock.h"
#include "platform/notify.h"
#include "platform/resources.h"
#include "self_check.h"
#include "sizing.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_CANNOT_START = 1, EXIT_USAGE = 2, EXIT_CUT_OFF = 3 };

#define MESSAGE_SIZE 512
#define WORTH_TRIMMING ((size_t)1 << 20)
#define DRAIN_POLL_NS 10000000
/* Draining, peers of idle connections may send one more request for this long, and learn from its
 * answer that the connection ends. */
#define LINGER_SECONDS 0.5

/* ---- Preparing ------------------------------------------------------------------------------- */

/* OpenBLAS reads this when it is loaded, and threads that it has started do not go away; so the
 * process starts over, once. */
static bool restart_with_serial_blas(char **argv)
{
    const char *threads = getenv("OPENBLAS_NUM_THREADS");
    char path[4096];
    ssize_t length;

    if (threads != NULL && strcmp(threads, "1") == 0)
        return true;
    length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0 && setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) {
        path[length] = '\0';
        execv(path, argv);
    }
    return false;
}

/* Blocks below 1 MiB are used again by the next request: mapping and unmapping them takes a third
 * of a request's time. So are larger ones that the end of the arena has room for; the others go
 * back to the kernel when they are freed, the arena's when all is quiet (wait_for_stop).
 * malloc_trim gives back little of any arena but the main one, so there is no other. Many
 * connections need many descriptors. A peer that has gone is no reason to end, nor is a log that
 * has grown to the size that its file may have. */
static void prepare_process(size_t memory_budget)
{
    struct rlimit files;

    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, (int)sizing_kept(memory_budget));
    mallopt(M_ARENA_MAX, 1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* ---- Signals --------------------------------------------------------------------------------- */

/* Signals that end the daemon: a terminal's and a supervisor's, a timer that whoever started it has
 * set, and LXC's for halting. */
static const int stop_signals[] = {SIGTERM, SIGINT, SIGALRM, SIGPWR};

/* Signals that would end or stop it silently, though nobody means that: logged and ignored. SIGTTOU
 * is for a background process that writes to its terminal. */
static const int stray_signals[] = {SIGUSR2, SIGIO, SIGVTALRM, SIGSTKFLT, SIGTTOU};

static bool is_stop_signal(int number)
{
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++)
        if (number == stop_signals[i])
            return true;
    return false;
}

static void do_nothing(int number)
{
    (void)number;
}

/* Blocks, from the first moment on, what must not end the daemon: a reload that comes too early
 * waits. OpenBLAS already has threads, whose masks are not ours to change: a signal that one of
 * them takes has a handler, and is lost. No harm: the process starts over and reads its
 * configuration again. */
static void block_other_signals(void)
{
    struct sigaction nothing = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigset_t others;

    sigemptyset(&others);
    sigaddset(&others, SIGHUP);
    sigaddset(&others, SIGUSR1);
    for (size_t i = 0; i < sizeof stray_signals / sizeof *stray_signals; i++)
        sigaddset(&others, stray_signals[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(&others, number);
    pthread_sigmask(SIG_BLOCK, &others, NULL);
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigismember(&others, number) == 1)
            sigaction(number, &nothing, NULL);
}

/* Blocks the stop signals in every thread. Returns all that are blocked, which this thread takes
 * when it asks. */
static sigset_t block_signals(void)
{
    sigset_t stop, all;

    sigemptyset(&stop);
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++)
        sigaddset(&stop, stop_signals[i]);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &all);
    return all;
}

static void log_signal(log_level level, const char *message, int number)
{
    char name[32];
    const char *abbreviation = sigabbrev_np(number);

    if (abbreviation != NULL)
        snprintf(name, sizeof name, "SIG%s", abbreviation);
    else
        snprintf(name, sizeof name, "%d", number);
    log_write(level, message, (log_field[]){LOG_TEXT("signal", name), LOG_END});
}

/* ---- Reloading ------------------------------------------------------------------------------- */

/* The command line and the configuration in effect. */
typedef struct process {
    int argc;
    char **argv;
    config *loaded; /* as config_load gave it */
    config running; /* the same with its zeros resolved; its strings are loaded's */
} process;

typedef struct reload {
    size_t changed, need_restart;
} reload;

static void tell_change(void *context, const config_change *change)
{
    reload *r = context;
    const log_field fields[] = {LOG_TEXT("option", change->name), LOG_TEXT("from", change->from),
                                LOG_TEXT("to", change->to), LOG_TEXT("source", change->where),
                                LOG_END};

    if (change->applied) {
        r->changed++;
        log_write(LOG_INFO, "option changed", fields);
    } else {
        r->need_restart++;
        log_write(LOG_WARNING, "option needs a restart: it stays as it was", fields);
    }
}

static void configure_log(const config *c)
{
    log_set_level((log_level)c->log_level);
    log_set_format((log_format)c->log_format);
}

/* Whatever the configuration says: a token that was revoked shall be so at once. */
static void reload_tokens(access_list *tokens)
{
    char message[MESSAGE_SIZE];
    access_change change;

    if (tokens == NULL)
        return;
    if (!access_reload(tokens, &change, message, sizeof message)) {
        log_write(LOG_ERROR, "tokens not reloaded: the old ones stay",
                  (log_field[]){LOG_TEXT("reason", message), LOG_END});
        return;
    }
    log_write(LOG_INFO, "tokens reloaded",
              (log_field[]){LOG_NUMBER("tokens", change.tokens), LOG_NUMBER("added", change.added),
                            LOG_NUMBER("removed", change.removed), LOG_END});
}

/* NULL: there are none. */
static void reload_certificates(tls *certificates)
{
    char message[MESSAGE_SIZE];

    if (certificates == NULL)
        return;
    if (tls_reload(certificates, message, sizeof message))
        log_write(LOG_INFO, "certificates reloaded", NULL);
    else
        log_write(LOG_ERROR, "certificates not reloaded: the old ones stay",
                  (log_field[]){LOG_TEXT("reason", message), LOG_END});
}

static void reload_configuration(process *p, tls *certificates)
{
    char message[MESSAGE_SIZE];
    reload r = {0};

    if (!config_reload(p->argc, p->argv, environ, p->loaded, &p->running, tell_change, &r, message,
                       sizeof message)) {
        log_write(LOG_ERROR, "not reloaded: the old configuration stays",
                  (log_field[]){LOG_TEXT("reason", message), LOG_END});
        return;
    }
    configure_log(&p->running);
    reload_certificates(certificates);
    log_write(LOG_INFO, "reloaded",
              (log_field[]){LOG_NUMBER("changed", r.changed),
                            LOG_NUMBER("need_restart", r.need_restart), LOG_END});
}

/* ---- Running --------------------------------------------------------------------------------- */

static const char *const role_names[] = {"service", "admin"};

/* What others meet at an address of that role that they can reach, or NULL: nothing to warn of. */
static const char *warning_of(const gradientd *d, int role)
{
    const config *c = d->service.config;

    if (role == ROLE_ADMIN)
        return "others can reach this address, and there is no TLS and no authentication here: put "
               "a proxy in front that has both, or a firewall";
    if (tls_asks_clients(c) || (d->service.access != NULL && tls_is_wanted(c)))
        return NULL;
    if (d->service.access != NULL)
        return "others can reach this address, and there is no TLS here, so that tokens travel in "
               "the clear: set tls-certificate and tls-key, or put a proxy in front";
    return "others can reach this address, and insecure is on, so that nothing asks who they are: "
           "put a proxy in front that does, or a firewall";
}

static void warn_of_others(const gradientd *d, int role)
{
    const char *warning = warning_of(d, role);

    if (d->addresses[role][0] == '\0' || d->is_local[role] || warning == NULL)
        return;
    log_write(LOG_WARNING, warning,
              (log_field[]){LOG_TEXT("role", role_names[role]),
                            LOG_TEXT("address", d->addresses[role]), LOG_END});
}

/* What stands before the address: a Unix socket's says so itself. */
static const char *scheme_of(const gradientd *d, int role)
{
    const char *address = d->addresses[role];

    if (address[0] == '\0' || strncmp(address, "unix", 4) == 0)
        return "";
    return role == ROLE_SERVICE && d->service.tls != NULL ? "https://" : "http://";
}

static void log_start(const gradientd *d)
{
    const config *c = d->service.config;
    char sentence[3 * LISTENER_ADDRESS_SIZE];
    const char *admin = d->addresses[ROLE_ADMIN];

    for (int role = 0; role < ROLE_COUNT; role++) {
        if (d->addresses[role][0] != '\0') {
            log_write_as(LOG_INFO, "listening", "",
                         (log_field[]){LOG_TEXT("role", role_names[role]),
                                       LOG_TEXT("address", d->addresses[role]), LOG_END});
        }
    }
    snprintf(sentence, sizeof sentence, "gradientd %s serves %s%s%s%s%s", GRAD_VERSION,
             scheme_of(d, ROLE_SERVICE), d->addresses[ROLE_SERVICE],
             admin[0] != '\0' ? ", health and metrics " : "", scheme_of(d, ROLE_ADMIN), admin);
    log_write_as(LOG_INFO, "started", sentence,
                 (log_field[]){LOG_TEXT("version", GRAD_VERSION),
                               LOG_TEXT("revision", GRADIENTD_REVISION),
                               LOG_NUMBER("pid", getpid()), LOG_NUMBER("workers", c->workers),
                               LOG_NUMBER("event_loops", c->event_loops),
                               LOG_NUMBER("memory_budget", c->memory_budget), LOG_END});
    for (int role = 0; role < ROLE_COUNT; role++)
        warn_of_others(d, role);
}

/* Waits for a signal to stop, and handles the others. When a quiet second follows a busy one, what
 * malloc kept goes back to the kernel; not between two requests of a busy time, since the second
 * would fault everything in again. */
static void wait_for_stop(gradientd *d, process *p, const sigset_t *signals)
{
    const struct timespec pause = {.tv_sec = 1};
    bool was_busy = false;

    for (;;) {
        int number = sigtimedwait(signals, NULL, &pause);
        bool is_busy;
        if (is_stop_signal(number)) {
            log_signal(LOG_INFO, "draining", number);
            return;
        }
        if (number == SIGHUP) {
            notify_reloading();
            reload_tokens(d->service.access);
            reload_configuration(p, d->service.tls);
            notify_ready("serving");
        } else if (number == SIGUSR1) {
            state_tell(&d->service);
        } else if (number > 0) {
            log_signal(LOG_WARNING, "signal ignored", number);
        }
        if (number > 0)
            continue;
        is_busy = budget_take_peak(&d->service.memory) >= WORTH_TRIMMING;
        if (was_busy && !is_busy)
            malloc_trim(0);
        was_busy = is_busy;
        if (d->service.tls != NULL)
            tls_warn_of_expiry(d->service.tls);
    }
}

/* Whether a second signal to stop has come; others are reported. */
static bool is_hurried(gradientd *d, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = DRAIN_POLL_NS};
    int number = sigtimedwait(signals, NULL, &pause);

    if (is_stop_signal(number)) {
        log_signal(LOG_WARNING, "second signal: stopping at once", number);
        return true;
    }
    if (number == SIGUSR1)
        state_tell(&d->service);
    else if (number > 0)
        log_signal(LOG_WARNING, "draining: signal ignored", number);
    return false;
}

/* Serves on, not ready any more, so that whoever balances the load sends no more. */
static bool wait_before_drain(gradientd *d, const sigset_t *signals)
{
    int64_t began = clock_now();

    daemon_end_readiness(d);
    while (clock_to_seconds(clock_now() - began) < d->service.config->drain_delay)
        if (is_hurried(d, signals))
            return false;
    return true;
}

/* Whether every request was answered in time; a second signal to stop ends the wait. */
static bool drain(gradientd *d, const sigset_t *signals)
{
    int64_t began;

    notify_stopping("answering the last requests");
    if (!wait_before_drain(d, signals))
        return false;
    began = clock_now();
    daemon_drain(d);
    for (;;) {
        double elapsed = clock_to_seconds(clock_now() - began);
        if (daemon_is_drained(d, elapsed > LINGER_SECONDS))
            return true;
        if (elapsed > d->service.config->drain_timeout) {
            log_write(LOG_WARNING, "drain-timeout passed with connections open", NULL);
            return false;
        }
        if (is_hurried(d, signals))
            return false;
    }
}

static int fail_start(const char *reason)
{
    char sentence[MESSAGE_SIZE + 32];

    snprintf(sentence, sizeof sentence, "cannot start: %s", reason);
    log_write_as(LOG_ERROR, "cannot start", sentence,
                 (log_field[]){LOG_TEXT("reason", reason), LOG_END});
    return EXIT_CANNOT_START;
}

static int run(process *p)
{
    const config *c = &p->running;
    char message[MESSAGE_SIZE];
    grad_error error = GRAD_ERROR_INIT;
    confinement confined;
    gradientd d;
    bool drained;
    sigset_t signals;

    log_open();
    if (!restart_with_serial_blas(p->argv)) {
        log_write(LOG_ERROR, "cannot start over with OPENBLAS_NUM_THREADS=1", NULL);
        return EXIT_CANNOT_START;
    }
    if (!sizing_fit(p->loaded, &p->running, memory_available(), message, sizeof message))
        return fail_start(message);
    prepare_process(c->memory_budget);
    signals = block_signals();
    if (grad_self_test(&error) != GRAD_OK)
        return fail_start(error.detail);
    notify_open();
    if (!daemon_fit_descriptors(p->loaded, &p->running, message, sizeof message) ||
        !daemon_open(&d, c, message, sizeof message) ||
        !confinement_begin(&confined, c, message, sizeof message) ||
        !daemon_start(&d, message, sizeof message) ||
        !confinement_complete(&confined, message, sizeof message))
        return fail_start(message);
    log_start(&d);
    notify_ready("serving");
    wait_for_stop(&d, p, &signals);
    drained = drain(&d, &signals);
    if (!daemon_stop(&d)) {
        log_write(LOG_WARNING, "stopped with requests being computed", NULL);
        _exit(EXIT_CUT_OFF);
    }
    log_write(LOG_INFO, "stopped", NULL);
    return drained ? EXIT_SUCCESS : EXIT_CUT_OFF;
}

static int check_health(const config *c)
{
    char message[MESSAGE_SIZE];

    if (healthcheck(c, message, sizeof message))
        return EXIT_SUCCESS;
    fprintf(stderr, "gradientd: %s\n", message);
    return EXIT_CANNOT_START;
}

/* The output may be lost: a full disk, a closed descriptor. */
static int end_printing(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    fprintf(stderr, "gradientd: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_CANNOT_START;
}

static int print_description(const char *topic)
{
    char topics[MESSAGE_SIZE];

    if (describe(topic, stdout))
        return end_printing();
    describe_topics(topics, sizeof topics);
    fprintf(stderr, "gradientd: --describe knows no \"%.100s\"; it knows %s\n", topic, topics);
    return EXIT_USAGE;
}

/* The token and its line on standard output, and what they are on standard error. */
static int make_token(char *const *words)
{
    char token[SECRET_SIZE], entry[TOKEN_LINE_SIZE], message[MESSAGE_SIZE];

    if (!token_command(words, token, entry, message, sizeof message)) {
        fprintf(stderr, "gradientd: %s\n", message);
        return EXIT_USAGE;
    }
    fputs("The token, which is shown only now, and the line of the token file for it:\n", stderr);
    printf("%s\n%s\n", token, entry);
    explicit_bzero(token, sizeof token);
    return end_printing();
}

static int act(process *p, const config_sources *sources, config_action action)
{
    const config *c = p->loaded;

    switch (action) {
    case CONFIG_HELP:
        config_print_help(stdout);
        return end_printing();
    case CONFIG_VERSION:
        printf("gradientd %s (%s)\n", GRAD_VERSION, GRADIENTD_REVISION);
        return end_printing();
    case CONFIG_CHECK:
        config_print_effective(c, sources, stdout);
        return end_printing();
    case CONFIG_DESCRIBE:
        return print_description(c->topic);
    case CONFIG_HEALTHCHECK:
        return check_health(c);
    case CONFIG_TOKEN:
        return make_token(c->words);
    case CONFIG_SELF_CHECK:
        if (!restart_with_serial_blas(p->argv))
            return fail_start("cannot start over with OPENBLAS_NUM_THREADS=1");
        return self_check(c, stdout) ? end_printing() : EXIT_CANNOT_START;
    case CONFIG_RUN:
        break;
    }
    p->running = *c;
    config_resolve(&p->running);
    configure_log(&p->running);
    return run(p);
}

int main(int argc, char **argv)
{
    char message[MESSAGE_SIZE];
    config values;
    config_sources *sources;
    config_action action;
    process p;
    int status;

    block_other_signals();
    if (!config_load(argc, argv, environ, &values, &sources, &action, message, sizeof message)) {
        fprintf(stderr, "gradientd: %s\nTry gradientd --help.\n", message);
        return EXIT_USAGE;
    }
    p = (process){.argc = argc, .argv = argv, .loaded = &values};
    status = act(&p, sources, action);
    config_free(&values, sources);
    return status;
}
