/* The command bench, and its report. */
#include "cli/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

#define PERCENTILES (sizeof percentiles / sizeof *percentiles)

/* ---- As a document --------------------------------------------------------------------------- */

/* Answers a second; 0 where it was interrupted before it measured. */
static double rate_of(const bench_count *count, double seconds)
{
    return seconds > 0 ? (double)bench_times_count(count->answers) / seconds : 0;
}

/* In milliseconds; null where there are none. */
static void write_milliseconds(grad_text *text, double seconds)
{
    if (isnan(seconds))
        grad_text_printf(text, "null");
    else
        grad_text_printf(text, "%.3f", 1e3 * seconds);
}

static void write_times(grad_text *text, const char *name, const bench_times *times)
{
    grad_text_printf(text, "\"%s\":{\"count\":%llu", name,
                     (unsigned long long)bench_times_count(times));
    for (size_t i = 0; i < PERCENTILES; i++) {
        grad_text_printf(text, ",\"%s\":", percentiles[i].name);
        write_milliseconds(text, bench_times_percentile(times, percentiles[i].share));
    }
    grad_text_printf(text, ",\"max\":");
    write_milliseconds(text, bench_times_max(times));
    grad_text_printf(text, ",\"mean\":");
    write_milliseconds(text, bench_times_count(times) > 0 ? bench_times_mean(times) : NAN);
    grad_text_printf(text, "}");
}

static void write_count(grad_text *text, const bench_count *count, double seconds)
{
    grad_text_printf(text, "\"answers_per_second\":%.6g,\"wrong\":%llu,\"failed\":%llu,",
                     rate_of(count, seconds), (unsigned long long)count->wrong,
                     (unsigned long long)count->failed);
    write_times(text, "answers_ms", count->answers);
    grad_text_printf(text, ",");
    write_times(text, "refusals_ms", count->refusals);
}

static void write_document(grad_text *text, const options *o, const bench_mix *mix,
                           const bench_result *result)
{
    grad_text_printf(text, "{\"connections\":%u,\"rate\":", o->connections);
    if (o->rate > 0)
        grad_text_number(text, o->rate);
    else
        grad_text_printf(text, "null");
    grad_text_printf(text, ",\"seconds\":%.3f,\"layers\":[", result->seconds);
    for (size_t i = 0; i < mix->count; i++) {
        const bench_item *item = &mix->items[i];
        grad_text_printf(text, "%s{\"B\":%zu,\"K\":%zu,\"N\":%zu,\"weight\":%u,", i > 0 ? "," : "",
                         item->layer.B, item->layer.K, item->layer.N, item->layer.weight);
        grad_text_printf(text, "\"encoding\":\"%s\",\"answer_encoding\":\"%s\",",
                         options_encoding_name(item->layer.request),
                         options_encoding_name(item->layer.answer));
        grad_text_printf(text, "\"request_bytes\":%zu,\"answer_bytes\":%zu,",
                         item->request.text.length, item->answer.text.length);
        write_count(text, &result->items[i], result->seconds);
        grad_text_printf(text, "}");
    }
    grad_text_printf(text, "],\"all\":{");
    write_count(text, &result->all, result->seconds);
    grad_text_printf(text, "}}\n");
}

/* ---- As a table ------------------------------------------------------------------------------ */

#define NAME_WIDTH 27

/* As --layer names it, without its weight. */
static void name_layer(const bench_layer *layer, char *name, size_t size)
{
    int length = snprintf(name, size, "%zux%zux%zu", layer->B, layer->K, layer->N);

    if (layer->request != GRAD_ENCODING_JSON || layer->answer != layer->request)
        length += snprintf(name + length, size - (size_t)length, ":%s",
                           options_encoding_name(layer->request));
    if (layer->answer != layer->request)
        snprintf(name + length, size - (size_t)length, ":%s", options_encoding_name(layer->answer));
}

/* Three digits, of milliseconds. */
static void add_time(grad_text *text, double seconds)
{
    double ms = 1e3 * seconds;

    if (isnan(ms))
        grad_text_printf(text, " %9s", "-");
    else
        grad_text_printf(text, " %9.*f", ms < 10 ? 3 : ms < 100 ? 2 : ms < 1000 ? 1 : 0, ms);
}

static void add_row(grad_text *text, const char *name, const bench_count *count, double seconds)
{
    grad_text_printf(text, "%-*s %10.1f", NAME_WIDTH, name, rate_of(count, seconds));
    for (size_t i = 0; i < PERCENTILES; i++)
        add_time(text, bench_times_percentile(count->answers, percentiles[i].share));
    add_time(text, bench_times_max(count->answers));
    grad_text_printf(text, " %9llu %7llu %6llu\n",
                     (unsigned long long)bench_times_count(count->refusals),
                     (unsigned long long)count->failed, (unsigned long long)count->wrong);
}

static void write_table(grad_text *text, const options *o, const bench_mix *mix,
                        const bench_result *result)
{
    char name[64];

    if (o->rate > 0)
        grad_text_printf(text, "%g requests a second by plan, over %u connections at most", o->rate,
                         o->connections);
    else
        grad_text_printf(text, "%u connections, each of which sends when it is answered",
                         o->connections);
    grad_text_printf(text, "; %.3g s\n\n%-*s %10s %9s %9s %9s %9s %9s %9s %7s %6s\n",
                     result->seconds, NAME_WIDTH, "layer", "answers/s", "p50 ms", "p90", "p99",
                     "p99.9", "max", "refused", "failed", "wrong");
    for (size_t i = 0; i < mix->count; i++) {
        name_layer(&mix->items[i].layer, name, sizeof name);
        add_row(text, name, &result->items[i], result->seconds);
    }
    if (mix->count > 1)
        add_row(text, "all", &result->all, result->seconds);
}

/* ---- The command ----------------------------------------------------------------------------- */

static grad_status print(const options *o, const bench_mix *mix, const bench_result *result)
{
    grad_text text;
    grad_status status;

    grad_text_init(&text, SIZE_MAX);
    if (o->hdr)
        bench_times_print(result->all.answers, &text);
    else if (o->json)
        write_document(&text, o, mix, result);
    else
        write_table(&text, o, mix, result);
    status = grad_text_status(&text, NULL);
    report_write(text.data, text.length);
    grad_text_free(&text);
    return status;
}

/* What the whole came to. */
static int judge(const options *o, const bench_result *result)
{
    if (result->all.wrong > 0) {
        return report_failure(o, EXIT_PROTOCOL, "%llu answers had other bytes than the first",
                              (unsigned long long)result->all.wrong);
    }
    if (result->all.failed > 0)
        return report_failure(o, EXIT_UNREACHABLE, "%llu failed, the first of them: %s",
                              (unsigned long long)result->all.failed, result->failure);
    if (bench_times_count(result->all.answers) > 0)
        return EXIT_OK;
    return report_failure(o, EXIT_BUSY,
                          bench_times_count(result->all.refusals) > 0 ? "every request was refused"
                                                                      : "no request was measured");
}

int command_bench(const options *o)
{
    grad_error error = GRAD_ERROR_INIT;
    bench_mix mix;
    bench_result result = {0};
    int exit_code;

    if (bench_mix_create(o, &mix, &error) != GRAD_OK) {
        exit_code = report_library_error(o, &error);
    } else {
        exit_code = bench_run(o, &mix, &result);
        if (exit_code == EXIT_OK && print(o, &mix, &result) != GRAD_OK)
            exit_code = report_failure(o, EXIT_INTERNAL, "no memory for the report");
        if (exit_code == EXIT_OK)
            exit_code = judge(o, &result);
    }
    bench_result_free(&result);
    bench_mix_free(&mix);
    return exit_code;
}
