/* Loading the configuration: where values come from, who overrules whom, and what is refused in
 * which words. The spelling of single values is in test_config_values.c. */
#include "config/config.h"
#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST_WORDS 16

/* One loading and what came of it; one at a time. */
static struct {
    bool good;
    config values;
    config_sources *sources;
    config_action action;
    char message[512];
} loaded;

static char file_path[64];

static void forget(void)
{
    if (loaded.good)
        config_free(&loaded.values, loaded.sources);
    memset(&loaded, 0, sizeof loaded);
}

/* Cuts text at blanks, in place, into words that a NULL ends. */
static int split(char *text, char *words[MOST_WORDS])
{
    int count = 0;
    char *rest;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count + 1 < MOST_WORDS);
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

/* Loads with flags and variables, each a list of words with blanks between. */
static bool load(const char *flags, const char *variables)
{
    char arguments[512], environment[512];
    char *argv[MOST_WORDS], *environ_words[MOST_WORDS];
    forget();
    snprintf(arguments, sizeof arguments, "gradientd %s", flags);
    snprintf(environment, sizeof environment, "%s", variables);
    int argc = split(arguments, argv);
    split(environment, environ_words);
    loaded.good = config_load(argc, argv, environ_words, &loaded.values, &loaded.sources,
                              &loaded.action, loaded.message, sizeof loaded.message);
    return loaded.good;
}

static void expect_failure(const char *flags, const char *variables, const char *message)
{
    assert_false(load(flags, variables));
    assert_string_equal(loaded.message, message);
}

static void put_file(const char *text)
{
    FILE *file = fopen(file_path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *flags_with_file(void)
{
    static char flags[96];
    snprintf(flags, sizeof flags, "--config %s", file_path);
    return flags;
}

/* Loads a file of that text by --config and expects a message that begins with its path. */
static void expect_file_failure(const char *text, const char *message)
{
    char expected[512];
    put_file(text);
    snprintf(expected, sizeof expected, "%s%s", file_path, message);
    expect_failure(flags_with_file(), "", expected);
}

static char *effective(void)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    config_print_effective(&loaded.values, loaded.sources, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Expects a line of --check-config, given in three parts. */
static void expect_line(const char *before, const char *path, const char *after)
{
    char line[256];
    char *text = effective();
    snprintf(line, sizeof line, "%s%s%s\n", before, path, after);
    if (!strstr(text, line))
        print_error("no line %sin\n%s", line, text);
    assert_non_null(strstr(text, line));
    free(text);
}

static int make_file(void **state)
{
    (void)state;
    snprintf(file_path, sizeof file_path, "/tmp/test_config.XXXXXX");
    int descriptor = mkstemp(file_path);
    return descriptor >= 0 ? close(descriptor) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    forget();
    return unlink(file_path);
}

/* ---- Values and their sources ---------------------------------------------------------------- */

static void test_defaults(void **state)
{
    (void)state;
    assert_true(load("", "HOME=/ PATH=/bin GRADIENT_URL=x"));
    const config *c = &loaded.values;
    assert_int_equal(loaded.action, CONFIG_RUN);
    assert_string_equal(c->listen, "127.0.0.1:8080");
    assert_string_equal(c->admin_listen, "127.0.0.1:8081");
    assert_int_equal(c->event_loops + c->workers + c->memory_budget, 0);
    assert_int_equal(c->queue_depth, 4096);
    assert_int_equal(c->max_connections, 4096);
    assert_int_equal(c->max_body, 256 << 20);
    assert_int_equal(c->max_layers, 1024);
    assert_int_equal(c->max_numbers, 64 << 20);
    assert_int_equal(c->max_result_numbers, 64 << 20);
    assert_int_equal(c->max_envelope, 256 << 10);
    assert_true(c->header_timeout == 10 && c->idle_timeout == 75 && c->body_timeout == 10);
    assert_true(c->reply_timeout == 30 && c->request_timeout == 60 && c->queue_timeout == 10);
    assert_true(c->drain_timeout == 30 && c->inline_cost == 0.0005);
    assert_int_equal(c->min_body_rate, 10000);
    assert_int_equal(c->min_reply_rate, 10000);
    assert_int_equal(c->log_level, 1); /* info */
    assert_true(c->log_requests);
}

static void test_later_sources_overrule_earlier_ones(void **state)
{
    (void)state;
    char flags[160];
    put_file("workers = 1\nqueue-depth = 11\nmax-layers = 21\n");
    snprintf(flags, sizeof flags, "--config=%s --workers=3", file_path);
    assert_true(load(flags, "GRADIENTD_WORKERS=2 GRADIENTD_QUEUE_DEPTH=12"));
    assert_int_equal(loaded.values.workers, 3);
    assert_int_equal(loaded.values.queue_depth, 12);
    assert_int_equal(loaded.values.max_layers, 21);
    expect_line("\nworkers = 3   # --workers", "", "");
    expect_line("\nqueue-depth = 12   # GRADIENTD_QUEUE_DEPTH", "", "");
    expect_line("\nmax-layers = 21   # ", file_path, ":3");
    expect_line("\nmax-connections = 4096   # default", "", "");
}

static void test_the_last_flag_wins(void **state)
{
    (void)state;
    assert_true(load("--workers 3 --listen [::1]:0 --workers=4 --log-requests off", ""));
    assert_int_equal(loaded.values.workers, 4);
    assert_string_equal(loaded.values.listen, "[::1]:0");
    assert_false(loaded.values.log_requests);
}

static void test_the_files_path(void **state)
{
    (void)state;
    char variables[96], flags[96];
    put_file("workers = 7\n");
    snprintf(variables, sizeof variables, "GRADIENTD_CONFIG=%s", file_path);
    assert_true(load("", variables));
    assert_int_equal(loaded.values.workers, 7);
    snprintf(flags, sizeof flags, "--config %s", file_path);
    assert_true(load(flags, "GRADIENTD_CONFIG=/nonexistent"));
    assert_int_equal(loaded.values.workers, 7);
    expect_failure("--config /nonexistent", "",
                   "cannot read the configuration file /nonexistent: No such file or directory");
    expect_failure("--config", "", "--config needs a value: FILE");
}

static void test_the_files_syntax(void **state)
{
    (void)state;
    put_file("# all of it\r\n\r\n  listen\t=  localhost:9  # why\r\n#workers = 9\n"
             "admin-listen=none\nmax-body=1MiB");
    assert_true(load(flags_with_file(), ""));
    assert_string_equal(loaded.values.listen, "localhost:9");
    assert_string_equal(loaded.values.admin_listen, "");
    assert_int_equal(loaded.values.workers, 0);
    assert_int_equal(loaded.values.max_body, 1 << 20);
    expect_line("\nadmin-listen = none   # ", file_path, ":5");
}

static void test_effective_values_load_as_a_file(void **state)
{
    (void)state;
    assert_true(load("--inline-cost 0.25ms --min-body-rate 12345 --max-body 3000000B", ""));
    char *first = effective();
    put_file(first);
    assert_true(load(flags_with_file(), ""));
    assert_true(loaded.values.inline_cost == 0.00025);
    assert_int_equal(loaded.values.min_body_rate, 12345);
    assert_int_equal(loaded.values.max_body, 3000000);
    char *second = effective();
    for (char *a = first, *b = second; a && b; a = strchr(a + 1, '\n'), b = strchr(b + 1, '\n')) {
        assert_int_equal(strcspn(a, "#"), strcspn(b, "#"));
        assert_memory_equal(a, b, strcspn(a, "#"));
    }
    free(first);
    free(second);
}

static void test_zeros_are_resolved(void **state)
{
    (void)state;
    assert_true(load("--workers 5", ""));
    config_resolve(&loaded.values);
    assert_int_equal(loaded.values.workers, 5);
    assert_between(loaded.values.event_loops, 1, 4);
    assert_true(loaded.values.memory_budget > 0);
    assert_true(load("", ""));
    char *text = effective();
    assert_null(strstr(text, "workers = 0 "));
    assert_non_null(strstr(text, "   # default (0: one a CPU, by affinity and quota)\n"));
    free(text);
}

/* ---- Actions --------------------------------------------------------------------------------- */

static void test_actions(void **state)
{
    (void)state;
    const struct {
        const char *flags;
        config_action action;
    } rows[] = {
        {"--help", CONFIG_HELP},
        {"-h", CONFIG_HELP},
        {"--version", CONFIG_VERSION},
        {"-V", CONFIG_VERSION},
        {"--check-config", CONFIG_CHECK},
        {"--describe", CONFIG_DESCRIBE},
        {"--describe=limits", CONFIG_DESCRIBE},
        {"--describe limits", CONFIG_DESCRIBE},
        {"--describe --version", CONFIG_VERSION},
        {"healthcheck", CONFIG_HEALTHCHECK},
        {"--workers 2 healthcheck --listen localhost:1", CONFIG_HEALTHCHECK},
        {"healthcheck --help", CONFIG_HELP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(load(rows[i].flags, ""));
        assert_int_equal(loaded.action, rows[i].action);
    }
    assert_true(load("--help", "GRADIENTD_WORKERS=none")); /* help is what helps here */
    assert_false(load("--check-config", "GRADIENTD_WORKERS=none"));
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void test_unknown_names(void **state)
{
    (void)state;
    expect_failure("--lisen", "", "unknown option --lisen; did you mean --listen?");
    expect_failure("--max_body=1", "", "unknown option --max_body=1; did you mean --max-body?");
    expect_failure("--chek-config", "",
                   "unknown option --chek-config; did you mean --check-config?");
    expect_failure("-x", "", "unknown option -x; see gradientd --help");
    expect_failure("--", "", "unknown option --; see gradientd --help");
    expect_failure("--listen", "", "--listen needs a value");
    expect_failure("--help=yes", "", "--help takes no value");
    expect_failure(
        "serve", "",
        "unexpected argument \"serve\"; the subcommands are check, healthcheck and token");
    expect_failure("", "GRADIENTD_LISEN=x",
                   "unknown variable GRADIENTD_LISEN; did you mean GRADIENTD_LISTEN?");
    expect_failure("", "GRADIENTD_workers=1",
                   "unknown variable GRADIENTD_workers; did you mean GRADIENTD_WORKERS?");
    expect_failure("", "GRADIENTD_COLOUR_OF_THE_SKY=1",
                   "unknown variable GRADIENTD_COLOUR_OF_THE_SKY; see gradientd --help");
    expect_file_failure("\nlisen = x\n", ":2: unknown key lisen; did you mean listen?");
    expect_file_failure("--listen = x\n", ":1: unknown key --listen; did you mean listen?");
    expect_file_failure("colour = x\n", ":1: unknown key colour; see gradientd --help");
}

static void test_bad_values_say_where_they_came_from(void **state)
{
    (void)state;
    expect_failure("--workers x", "",
                   "--workers: expected a number from 0 to 1024, with k, M, G, Ki, Mi, Gi or no "
                   "unit; found \"x\"");
    expect_failure("--queue-depth=0 --workers x", "",
                   "--queue-depth: expected a number from 1 to 65536, with k, M, G, Ki, Mi, Gi or "
                   "no unit; found \"0\"");
    expect_failure("", "GRADIENTD_MAX_BODY=12Q",
                   "GRADIENTD_MAX_BODY: expected a size from 1KiB to 64GiB, with k, M, G, KiB, "
                   "MiB, GiB or no unit; found \"12Q\"");
    expect_file_failure("\n\nlog-requests = perhaps\n",
                        ":3: log-requests: expected one of on, off; found \"perhaps\"");
    expect_file_failure("listen = 8080\n",
                        ":1: listen: expected HOST:PORT, unix:PATH, such as 127.0.0.1:8080, "
                        "[::1]:8080, *:8080 for all addresses or unix:/run/gradientd/socket; "
                        "found \"8080\"");
    expect_file_failure("unix-mode = 0888\n", ":1: unix-mode: expected a mode from 0000 to 0777, "
                                              "in octal digits; found \"0888\"");
    expect_file_failure("unix-owner = a:b:c\n", ":1: unix-owner: expected USER:GROUP, none, of "
                                                "which one may be missing; found \"a:b:c\"");
    expect_file_failure("drain-timeout =\n", ":1: drain-timeout: expected a time from 0s to "
                                             "86400s, with ms, s, m or no unit; found \"\"");
}

static void test_an_overruled_value_must_be_good_too(void **state)
{
    (void)state;
    assert_false(load("--workers 1", "GRADIENTD_WORKERS=many"));
    put_file("workers = many\n");
    assert_false(load(flags_with_file(), "GRADIENTD_WORKERS=1"));
}

static void test_bad_lines_of_a_file(void **state)
{
    (void)state;
    expect_file_failure("workers 3\n", ":1: expected key = value; found \"workers 3\"");
    expect_file_failure("[server]\n", ":1: expected key = value; found \"[server]\"");
    expect_file_failure("workers = 1\n\nworkers = 1\n", ":3: workers is set in line 1 already");
    expect_file_failure("config = other\n", ":1: unknown key config; see gradientd --help");
}

static void test_service_links_of_kubernetes_are_no_mistakes(void **state)
{
    (void)state;
    /* All of the seven forms, for services gradientd, gradientd-metrics and, as unlucky as it may
     * get, gradientd-max-body; addresses of both families. */
    static const char *const names[] = {"", "METRICS_", "MAX_BODY_", "2_CANARY_"};
    static const char *const links[] = {
        "SERVICE_HOST=10.0.0.7",
        "SERVICE_HOST=fd00:10:96::a",
        "SERVICE_PORT=8080",
        "SERVICE_PORT_HTTP_ALT=8080",
        "PORT=tcp://10.0.0.7:8080",
        "PORT=udp://[fd00:10:96::a]:53",
        "PORT_8080_TCP=tcp://10.0.0.7:8080",
        "PORT_9_SCTP=sctp://[fd00:10:96::a]:9",
        "PORT_8080_TCP_PROTO=tcp",
        "PORT_8080_TCP_PORT=8080",
        "PORT_8080_TCP_ADDR=10.0.0.7",
        "PORT_53_UDP_ADDR=fd00:10:96::a",
    };
    char variable[128];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
            snprintf(variable, sizeof variable, "GRADIENTD_%s%s", names[n], links[i]);
            assert_true(load("", variable));
        }
    }
}

static void test_links_of_docker_are_no_mistakes(void **state)
{
    (void)state;
    assert_true(load("", "GRADIENTD_NAME=/page/gradientd GRADIENTD_ENV_GRADIENTD_LISTEN=[::]:80 "
                         "GRADIENTD_PORT=tcp://172.17.0.2:8080 GRADIENTD_ENV_PATH=/bin"));
    assert_true(load("", "GRADIENTD_DB_1_ENV_A=b GRADIENTD_DB_1_NAME=/page/gradientd-db"));
    assert_false(load("", "GRADIENTD_NAME=gradientd"));
    assert_false(load("", "GRADIENTD_ENV_PATH=/bin"));
    assert_false(load("", "GRADIENTD_ENV_PATH=/bin GRADIENTD_DB_NAME=/page/gradientd-db"));
}

/* The form of a link does not excuse a value that no link has, and no option's name has it. */
static void test_mistakes_that_look_like_links(void **state)
{
    (void)state;
    static const char *const mistakes[] = {
        "GRADIENTD_PORT=8080",
        "GRADIENTD_PORTS=tcp://10.0.0.7:8080",
        "GRADIENTD_SERVICE_HOST=gradientd.example",
        "GRADIENTD_SERVICE_PORT=http",
        "GRADIENTD_PORT_TCP=tcp://10.0.0.7:8080",
        "GRADIENTD_SERVICE=10.0.0.7",
        "GRADIENTD_MAXBODY=1MiB",
        "GRADIENTD_REPORT=tcp://10.0.0.7:80",
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        if (load("", mistakes[i]))
            print_error("accepted: %s\n", mistakes[i]);
        assert_false(load("", mistakes[i]));
    }
}

/* What other servers call an option is answered with ours, and with how its value is spelled. */
static void test_names_of_other_servers(void **state)
{
    (void)state;
    static const char *const names[] = {"--port", "--host", "-p", "--bind", "--address", "--addr"};
    char message[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(message, sizeof message,
                 "unknown option %s; did you mean --listen 127.0.0.1:8080?", names[i]);
        expect_failure(names[i], "", message);
    }
    expect_failure("--port=9000", "",
                   "unknown option --port=9000; did you mean --listen 127.0.0.1:8080?");
    expect_failure("--Metrics_Port 9000", "",
                   "unknown option --Metrics_Port; did you mean --admin-listen 127.0.0.1:8081?");
    expect_failure("-v", "", "unknown option -v; did you mean --log-level debug?");
    expect_failure("-c x", "", "unknown option -c; did you mean --config?");
    expect_failure("", "GRADIENTD_PORT=8080",
                   "unknown variable GRADIENTD_PORT; did you mean "
                   "GRADIENTD_LISTEN=127.0.0.1:8080?");
    expect_failure("", "GRADIENTD_HOST=::",
                   "unknown variable GRADIENTD_HOST; did you mean "
                   "GRADIENTD_LISTEN=127.0.0.1:8080?");
    expect_failure("", "GRADIENTD_CONF=x",
                   "unknown variable GRADIENTD_CONF; did you mean GRADIENTD_CONFIG?");
    expect_file_failure("threads = 4\n", ":1: unknown key threads; did you mean workers?");
    expect_file_failure("host = ::\n",
                        ":1: unknown key host; did you mean listen = 127.0.0.1:8080?");
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(test_defaults),
        WITH_FILE(test_later_sources_overrule_earlier_ones),
        WITH_FILE(test_the_last_flag_wins),
        WITH_FILE(test_the_files_path),
        WITH_FILE(test_the_files_syntax),
        WITH_FILE(test_effective_values_load_as_a_file),
        WITH_FILE(test_zeros_are_resolved),
        WITH_FILE(test_actions),
        WITH_FILE(test_unknown_names),
        WITH_FILE(test_bad_values_say_where_they_came_from),
        WITH_FILE(test_an_overruled_value_must_be_good_too),
        WITH_FILE(test_bad_lines_of_a_file),
        WITH_FILE(test_service_links_of_kubernetes_are_no_mistakes),
        WITH_FILE(test_links_of_docker_are_no_mistakes),
        WITH_FILE(test_mistakes_that_look_like_links),
        WITH_FILE(test_names_of_other_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
