/* The metrics' text, read back line by line as Prometheus would: families, labels, histograms. The
 * counters last as long as the process, so tests look at differences. */
#include "observe/metrics.h"
#include "platform/resources.h"

#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const metrics_gauges gauges = {.connections = 11,
                                      .lingering = 19,
                                      .in_flight = 12,
                                      .queue_waiting = 13,
                                      .queue_depth = 14,
                                      .workers = 15,
                                      .workers_busy_jobs = 16,
                                      .memory_reserved = 17000000000,
                                      .memory_budget = 18000000000,
                                      .draining = true};

/* The exposition, which the caller frees. */
static char *exposition(void)
{
    grad_text text;
    grad_text_init(&text, (size_t)1 << 20);
    metrics_write(&gauges, &text);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    return text.data;
}

/* The value of a series, "name" or "name{labels}", 0 where it is absent. */
static double series(const char *name)
{
    char *text = exposition();
    size_t length = strlen(name);
    double value = 0;
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, name, length) == 0 && at[length] == ' ')
            value = strtod(at + length, NULL);
    free(text);
    return value;
}

/* ---- The grammar ----------------------------------------------------------------------------- */

typedef struct reader {
    regex_t help, type, sample;
    char family[64];
    bool histogram;
    char seen[4096]; /* names of families, each between blanks */
} reader;

static void begin_reading(reader *r)
{
    memset(r, 0, sizeof *r);
    r->seen[0] = ' ';
    const char *name = "^# HELP ([a-z_]+) [^ ].*$";
    assert_int_equal(regcomp(&r->help, name, REG_EXTENDED), 0);
    const char *type = "^# TYPE ([a-z_]+) (counter|gauge|histogram)$";
    assert_int_equal(regcomp(&r->type, type, REG_EXTENDED), 0);
    const char *sample = "^([a-z_]+)(\\{([a-z]+=\"[^\"\\\\]*\",?)+\\})? "
                         "([0-9]+(\\.[0-9]+)?(e[-+][0-9]+)?)$";
    assert_int_equal(regcomp(&r->sample, sample, REG_EXTENDED), 0);
}

static void end_reading(reader *r)
{
    regfree(&r->help);
    regfree(&r->type);
    regfree(&r->sample);
}

static void read_comment(reader *r, const char *line)
{
    regmatch_t part[3];
    if (regexec(&r->help, line, 3, part, 0) == 0) {
        snprintf(r->family, sizeof r->family, "%.*s", (int)(part[1].rm_eo - part[1].rm_so),
                 line + part[1].rm_so);
        char marked[80];
        snprintf(marked, sizeof marked, " %s ", r->family);
        assert_null(strstr(r->seen, marked)); /* a family comes once */
        strncat(r->seen, marked + 1, sizeof r->seen - strlen(r->seen) - 1);
        return;
    }
    assert_int_equal(regexec(&r->type, line, 3, part, 0), 0);
    assert_int_equal(strncmp(line + part[1].rm_so, r->family, strlen(r->family)), 0);
    const char *type = line + part[2].rm_so;
    r->histogram = strcmp(type, "histogram") == 0;
    if (strcmp(type, "counter") == 0)
        assert_string_equal(r->family + strlen(r->family) - strlen("_total"), "_total");
}

static void read_sample(reader *r, const char *line)
{
    regmatch_t part[3];
    if (regexec(&r->sample, line, 3, part, 0) != 0)
        fail_msg("no sample: %s", line);
    size_t length = strlen(r->family);
    assert_int_equal(strncmp(line, r->family, length), 0);
    char suffix[16];
    snprintf(suffix, sizeof suffix, "%.*s", (int)part[1].rm_eo - (int)length, line + length);
    bool of_histogram = strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 ||
                        strcmp(suffix, "_count") == 0;
    assert_true(r->histogram ? of_histogram : suffix[0] == '\0');
}

static void test_every_line_is_of_the_format(void **state)
{
    (void)state;
    reader r;
    char *rest;
    metrics_count_request(ROUTE_GRADIENTS, 200);
    metrics_observe_stage(STAGE_COMPUTE, 0.003);
    char *text = exposition();
    assert_int_equal(text[strlen(text) - 1], '\n');
    begin_reading(&r);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (line[0] == '#')
            read_comment(&r, line);
        else
            read_sample(&r, line);
    end_reading(&r);
    free(text);
}

/* ---- The counters ---------------------------------------------------------------------------- */

static void test_requests_by_route_and_status(void **state)
{
    (void)state;
    const char *ok = "gradientd_requests_total{route=\"/v1/gradients\",status=\"200\"}";
    const char *cut = "gradientd_requests_total{route=\"other\",status=\"0\"}";
    double ok_before = series(ok), cut_before = series(cut);
    metrics_count_request(ROUTE_GRADIENTS, 200);
    metrics_count_request(ROUTE_GRADIENTS, 200);
    metrics_count_request(ROUTE_GRADIENTS, 599);
    metrics_count_request(ROUTE_OTHER, 0);
    metrics_count_request(ROUTE_OTHER, -7);
    metrics_count_request(ROUTE_OTHER, 600);
    assert_true(series(ok) == ok_before + 2);
    assert_true(series(cut) == cut_before + 3);
    assert_true(series("gradientd_requests_total{route=\"/v1/gradients\",status=\"599\"}") == 1);
}

static double bucket(const char *bound)
{
    char name[128];
    snprintf(name, sizeof name,
             "gradientd_stage_duration_seconds_bucket{stage=\"encode\",le=\"%s\"}", bound);
    return series(name);
}

static void test_histogram(void **state)
{
    (void)state;
    static const double durations[] = {0.0001, 0.00011, 0.9, 30, 31, -1, NAN, INFINITY};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++)
        metrics_observe_stage(STAGE_ENCODE, durations[i]);
    assert_true(bucket("0.0001") == 3); /* -1 and NaN count as 0 */
    assert_true(bucket("0.00025") == 4);
    assert_true(bucket("0.5") == 4);
    assert_true(bucket("1") == 5);
    assert_true(bucket("10") == 5);
    assert_true(bucket("30") == 6);
    assert_true(bucket("+Inf") == 8);
    assert_true(series("gradientd_stage_duration_seconds_count{stage=\"encode\"}") == 8);
    double sum = series("gradientd_stage_duration_seconds_sum{stage=\"encode\"}");
    assert_true(fabs(sum - (0.0001 + 0.00011 + 0.9 + 30 + 31 + 1e9)) < 1e-6);
    assert_true(series("gradientd_stage_duration_seconds_count{stage=\"queue\"}") == 0);
}

static void test_bytes_and_rejections(void **state)
{
    (void)state;
    metrics_count_bytes((size_t)5 << 30, 7);
    metrics_count_bytes(1, 0);
    assert_true(series("gradientd_received_bytes_total") == 5368709121);
    assert_true(series("gradientd_sent_bytes_total") == 7);
    assert_true(series("gradientd_log_lines_lost_total") == 0);
    metrics_count_lost_line();
    assert_true(series("gradientd_log_lines_lost_total") == 1);
    for (metrics_rejection reason = 0; reason < REJECT_COUNT; reason++) {
        char name[96];
        snprintf(name, sizeof name, "gradientd_rejections_total{reason=\"%s\"}",
                 metrics_rejection_name(reason));
        for (size_t i = 0; i <= (size_t)reason; i++)
            metrics_count_rejection(reason);
        assert_true(series(name) == (double)reason + 1);
    }
}

static void test_ends_of_lingering(void **state)
{
    (void)state;
    static const char *const names[LINGERING_END_COUNT] = {"peer_closed", "too_long", "too_large",
                                                           "crowded_out"};
    for (size_t i = 0; i < LINGERING_END_COUNT; i++) {
        char name[96];
        snprintf(name, sizeof name, "gradientd_lingering_ended_total{reason=\"%s\"}", names[i]);
        for (size_t n = 0; n <= i; n++)
            metrics_count_lingering((metrics_lingering_end)i);
        assert_true(series(name) == (double)i + 1);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(metrics_route_name(ROUTE_GRADIENTS), "/v1/gradients");
    assert_string_equal(metrics_route_name(ROUTE_BACKPROP), "/v1/backprop");
    assert_string_equal(metrics_route_name(ROUTE_CHECK), "/v1/check");
    assert_string_equal(metrics_stage_name(STAGE_TOTAL), "total");
    for (metrics_route route = 0; route < ROUTE_COUNT; route++)
        assert_non_null(metrics_route_name(route));
    for (metrics_stage stage = 0; stage < STAGE_COUNT; stage++)
        assert_non_null(metrics_stage_name(stage));
}

static void test_gauges_and_the_process(void **state)
{
    (void)state;
    process_keep_descriptors();
    assert_true(series("gradientd_connections") == 11);
    assert_true(series("gradientd_lingering_connections") == 19);
    assert_true(series("gradientd_in_flight") == 12);
    assert_true(series("gradientd_queue_waiting") == 13);
    assert_true(series("gradientd_queue_depth") == 14);
    assert_true(series("gradientd_workers") == 15);
    assert_true(series("gradientd_jobs_running") == 16);
    assert_true(series("gradientd_memory_leased_bytes") == 17e9);
    assert_true(series("gradientd_memory_budget_bytes") == 18e9);
    assert_true(series("gradientd_draining") == 1);
    assert_true(series("process_start_time_seconds") > 1.6e9);
    assert_true(series("process_resident_memory_bytes") > 1 << 18);
    assert_true(series("process_cpu_seconds_total") > 0);
    assert_true(series("process_open_fds") >= 3);
    char *text = exposition();
    assert_non_null(
        strstr(text, "\ngradientd_build_info{version=\"" GRAD_VERSION "\",revision=\""));
    free(text);
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 100000 };

static void *count_many(void *context)
{
    pthread_barrier_wait(context);
    for (size_t i = 0; i < ROUNDS; i++) {
        metrics_count_request(ROUTE_INFO, 200);
        metrics_observe_stage(STAGE_TOTAL, 1e-7 * (double)i);
    }
    return NULL;
}

static void test_threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, &start), 0);
    free(exposition()); /* reading meanwhile */
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    assert_true(series("gradientd_requests_total{route=\"/v1/info\",status=\"200\"}") ==
                THREADS * ROUNDS);
    assert_true(series("gradientd_stage_duration_seconds_count{stage=\"total\"}") ==
                THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line_is_of_the_format),
        cmocka_unit_test(test_requests_by_route_and_status),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_bytes_and_rejections),
        cmocka_unit_test(test_ends_of_lingering),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_gauges_and_the_process),
        cmocka_unit_test(test_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
