/* gradientd: the process. Reads what it was asked to do, prepares the ground (libraries, signals,
 * memory), runs the daemon and ends it. Exit statuses are listed in docs/architecture.md. */
#include "config/config.h"
#include "daemon.h"
#include "net/clock.h"
#include "net/healthcheck.h"
#include "observe/log.h"

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
#define KEPT_LEAST (16 << 20)
#define KEPT_MOST (64 << 20)
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
    if (threads && strcmp(threads, "1") == 0)
        return true;
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0 && setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) {
        path[length] = '\0';
        execv(path, argv);
    }
    return false;
}

/* What malloc may keep free at the end of its arena, outside the budget: a request of the size that
 * a budget is made for leaves it whole. Trimmed below that, each request would fault in all of its
 * pages anew. */
static int kept_by_malloc(size_t memory_budget)
{
    size_t kept = memory_budget / 8;
    return kept < KEPT_LEAST ? KEPT_LEAST : kept > KEPT_MOST ? KEPT_MOST : (int)kept;
}

/* Blocks below 1 MiB are used again by the next request: mapping and unmapping them takes a third
 * of a request's time. So are larger ones that the end of the arena has room for; the others go
 * back to the kernel when they are freed, the arena's when all is quiet (wait_for_stop).
 * malloc_trim gives back little of any arena but the main one, so there is no other. Many
 * connections need many descriptors. A peer that has gone is no reason to end. */
static void prepare_process(size_t memory_budget)
{
    struct rlimit files;
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, kept_by_malloc(memory_budget));
    mallopt(M_ARENA_MAX, 1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* Blocked in every thread, and taken by this one when it asks. */
static sigset_t block_stop_signals(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    return stop;
}

/* ---- Running --------------------------------------------------------------------------------- */

static void log_start(const gradientd *d)
{
    static const char *const roles[] = {"service", "admin"};
    const config *c = d->service.config;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (d->addresses[role][0] != '\0') {
            log_write(LOG_INFO, "listening",
                      (log_field[]){LOG_TEXT("role", roles[role]),
                                    LOG_TEXT("address", d->addresses[role]), LOG_END});
        }
    }
    log_write(LOG_INFO, "started",
              (log_field[]){LOG_TEXT("version", GRAD_VERSION),
                            LOG_TEXT("revision", GRADIENTD_REVISION), LOG_NUMBER("pid", getpid()),
                            LOG_NUMBER("workers", c->workers),
                            LOG_NUMBER("event_loops", c->event_loops),
                            LOG_NUMBER("memory_budget", c->memory_budget), LOG_END});
}

/* Waits for a signal. Meanwhile, when a second without requests worth it follows one with some,
 * what malloc kept of their memory goes back to the kernel. Not between two requests of a busy
 * time: the second would have to fault everything in again. */
static void wait_for_stop(gradientd *d, const sigset_t *stop)
{
    const struct timespec pause = {.tv_sec = 1};
    bool was_busy = false;
    while (sigtimedwait(stop, NULL, &pause) < 0) {
        bool is_busy = budget_take_peak(&d->service.memory) >= WORTH_TRIMMING;
        if (was_busy && !is_busy)
            malloc_trim(0);
        was_busy = is_busy;
    }
}

/* Whether everybody was answered in time; a second signal ends the wait. */
static bool drain(gradientd *d, const sigset_t *stop)
{
    const struct timespec pause = {.tv_nsec = DRAIN_POLL_NS};
    int64_t began = clock_now();
    log_write(LOG_INFO, "draining", NULL);
    daemon_drain(d);
    for (;;) {
        double elapsed = clock_to_seconds(clock_now() - began);
        if (daemon_is_drained(d, elapsed > LINGER_SECONDS))
            return true;
        if (elapsed > d->service.config->drain_timeout) {
            log_write(LOG_WARNING, "drain-timeout passed with connections open", NULL);
            return false;
        }
        if (sigtimedwait(stop, NULL, &pause) > 0) {
            log_write(LOG_WARNING, "second signal: stopping at once", NULL);
            return false;
        }
    }
}

static int run(const config *c, char **argv)
{
    char message[MESSAGE_SIZE];
    grad_error error = GRAD_ERROR_INIT;
    gradientd d;
    log_open();
    if (!restart_with_serial_blas(argv)) {
        log_write(LOG_ERROR, "cannot start over with OPENBLAS_NUM_THREADS=1", NULL);
        return EXIT_CANNOT_START;
    }
    prepare_process(c->memory_budget);
    sigset_t stop = block_stop_signals();
    if (grad_self_test(&error) != GRAD_OK) {
        log_write(LOG_ERROR, "cannot start",
                  (log_field[]){LOG_TEXT("reason", error.detail), LOG_END});
        return EXIT_CANNOT_START;
    }
    if (!daemon_start(&d, c, message, sizeof message)) {
        log_write(LOG_ERROR, "cannot start", (log_field[]){LOG_TEXT("reason", message), LOG_END});
        return EXIT_CANNOT_START;
    }
    log_start(&d);
    wait_for_stop(&d, &stop);
    bool drained = drain(&d, &stop);
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

/* What was printed may have gone nowhere: a full disk, a closed descriptor. */
static int end_printing(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    fprintf(stderr, "gradientd: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_CANNOT_START;
}

static int act(config *c, const config_sources *sources, config_action action, char **argv)
{
    log_level level;
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
    case CONFIG_MARKDOWN:
        config_print_markdown(stdout);
        return end_printing();
    case CONFIG_HEALTHCHECK:
        return check_health(c);
    case CONFIG_RUN:
        break;
    }
    if (log_level_parse(c->log_level, &level))
        log_set_level(level);
    config_resolve(c);
    return run(c, argv);
}

int main(int argc, char **argv)
{
    char message[MESSAGE_SIZE];
    config values;
    config_sources *sources;
    config_action action;
    if (!config_load(argc, argv, environ, &values, &sources, &action, message, sizeof message)) {
        fprintf(stderr, "gradientd: %s\nTry gradientd --help.\n", message);
        return EXIT_USAGE;
    }
    int status = act(&values, sources, action, argv);
    config_free(&values, sources);
    return status;
}
