/* What came of the requests: counts, times, rows; and the JSON document that says it. */
#include "fire/load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void add_sample(load_samples *samples, uint64_t planned, uint64_t sent)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 4096 : 2 * samples->room;
        samples->planned = realloc(samples->planned, samples->room * sizeof(uint32_t));
        samples->sent = realloc(samples->sent, samples->room * sizeof(uint32_t));
        if (samples->planned == NULL || samples->sent == NULL)
            exit(1);
    }
    samples->planned[samples->count] = (uint32_t)planned;
    samples->sent[samples->count++] = (uint32_t)sent;
}

static void count_outcome(load_class *class, const char *name)
{
    size_t i = 0;

    while (i < class->outcome_count && strcmp(class->outcomes[i].name, name) != 0)
        i++;
    if (i == LOAD_OUTCOMES)
        i--;
    if (i == class->outcome_count) {
        class->outcome_count++;
        snprintf(class->outcomes[i].name, sizeof class->outcomes[i].name, "%s", name);
    }
    class->outcomes[i].count++;
}

/* "503 queue_full": the status, and a problem's code. */
static void name_outcome(const load_response *response, char *name, size_t size)
{
    char start[LOAD_START_SIZE + 1];
    const char *code;
    size_t length;

    memcpy(start, response->start, response->start_length);
    start[response->start_length] = '\0';
    code = response->status == 200 ? NULL : strstr(start, "\"code\":\"");
    length = code == NULL ? 0 : strcspn(code + 8, "\"\\");
    snprintf(name, size, "%d%s%.*s", response->status, code == NULL ? "" : " ", (int)length,
             code == NULL ? "" : code + 8);
}

load_row *load_row_of(load_run *load, load_class *class, uint64_t now)
{
    size_t i = (size_t)((now - load->began) / load->row_us);

    if (i >= class->row_count) {
        class->rows = realloc(class->rows, (i + 1) * sizeof *class->rows);
        if (class->rows == NULL)
            exit(1);
        memset(class->rows + class->row_count, 0, (i + 1 - class->row_count) * sizeof(load_row));
        class->row_count = i + 1;
    }
    return &class->rows[i];
}

static void record_answer(load_class *class, load_row *row, const load_connection *connection,
                          uint64_t now)
{
    const load_response *response = &connection->response;
    uint64_t since = now - connection->sent;

    if (response->status == 200 && response->differs) {
        class->wrong++;
        row->failed++;
    } else if (response->status == 200) {
        class->ok++;
        class->ok_in_time += now <= class->end;
        row->ok++;
        row->worst_us = since > row->worst_us ? (uint32_t)since : row->worst_us;
        add_sample(&class->answered, now - connection->planned, since);
        if (class->closed)
            add_sample(&class->waits, now - connection->first_try, connection->tries);
    } else if (response->status == 503 || response->status == 429) {
        row->refused++;
        add_sample(&class->refused, now - connection->planned, since);
    } else
        row->failed++;
}

void load_record(load_run *load, load_class *class, const load_connection *connection,
                 const char *outcome)
{
    uint64_t now = load_now();
    load_row *row = load_row_of(load, class, now);
    char name[64];

    if (outcome != NULL) {
        row->failed++;
        count_outcome(class, outcome);
        return;
    }
    record_answer(class, row, connection, now);
    name_outcome(&connection->response, name, sizeof name);
    count_outcome(class, connection->response.differs ? "200 wrong" : name);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Percentiles in milliseconds; null where there is nothing. */
static void print_times(FILE *out, const char *name, uint32_t *times, size_t count)
{
    static const struct {
        const char *name;
        double share;
    } ranks[] = {{"p50", .50}, {"p90", .90}, {"p99", .99}, {"max", 1}};

    fprintf(out, "\"%s\":{", name);
    if (count > 0)
        qsort(times, count, sizeof *times, by_size);
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        size_t rank = (size_t)(ranks[i].share * (double)count);

        fprintf(out, "%s\"%s\":", i == 0 ? "" : ",", ranks[i].name);
        if (count == 0)
            fprintf(out, "null");
        else
            fprintf(out, "%.3f", times[rank < count ? rank : count - 1] / 1e3);
    }
    fprintf(out, "}");
}

static void print_samples(FILE *out, const char *name, const load_samples *samples)
{
    fprintf(out, ",\"%s\":{\"count\":%zu,", name, samples->count);
    print_times(out, "from_plan_ms", samples->planned, samples->count);
    fprintf(out, ",");
    print_times(out, "from_sending_ms", samples->sent, samples->count);
    fprintf(out, "}");
}

/* How long the clients of a closed class tried until they were served, and those that were not. */
static void print_waits(FILE *out, const load_class *class)
{
    const load_samples *waits = &class->waits;
    unsigned unserved = 0, most = 0;

    for (unsigned i = 0; i < class->connections; i++) {
        const load_connection *place = &class->places[i];

        unserved += place->tries > 0;
        most = place->tries > most ? place->tries : most;
    }
    for (size_t i = 0; i < waits->count; i++)
        most = waits->sent[i] > most ? waits->sent[i] : most;
    fprintf(out, ",\"waits\":{\"unserved\":%u,\"most_tries\":%u,", unserved, most);
    print_times(out, "until_served_ms", waits->planned, waits->count);
    fprintf(out, "}");
}

static void print_rows(FILE *out, const load_class *class)
{
    fprintf(out, ",\"rows\":[");
    for (size_t i = 0; i < class->row_count; i++) {
        const load_row *row = &class->rows[i];

        fprintf(out,
                "%s{\"planned\":%u,\"sent\":%u,\"ok\":%u,\"refused\":%u,\"failed\":%u,"
                "\"worst_ms\":%.3f}",
                i == 0 ? "" : ",", row->planned, row->sent, row->ok, row->refused, row->failed,
                row->worst_us / 1e3);
    }
    fprintf(out, "]");
}

static void print_class(FILE *out, const load_class *class)
{
    fprintf(out,
            "{\"name\":\"%s\",\"planned\":%llu,\"sent\":%llu,\"retried\":%llu,\"ok\":%llu,"
            "\"wrong\":%llu,\"goodput\":%.4f,\"outcomes\":{",
            class->name, (unsigned long long)(class->closed ? class->sent : class->total),
            (unsigned long long)class->sent, (unsigned long long)class->retried,
            (unsigned long long)class->ok, (unsigned long long)class->wrong,
            (double)class->ok_in_time / class->seconds);
    for (size_t i = 0; i < class->outcome_count; i++)
        fprintf(out, "%s\"%s\":%llu", i == 0 ? "" : ",", class->outcomes[i].name,
                (unsigned long long)class->outcomes[i].count);
    fprintf(out, "}");
    print_samples(out, "answered", &class->answered);
    print_samples(out, "refused", &class->refused);
    if (class->closed)
        print_waits(out, class);
    print_rows(out, class);
    fprintf(out, "}");
}

void load_print(const load_run *load, FILE *out)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    fprintf(out, "{\"row_ms\":%.3f,\"wall_s\":%.3f,\"cpu_s\":%.3f,\"classes\":[",
            (double)load->row_us / 1e3, (double)(load_now() - load->began) / 1e6,
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    for (size_t i = 0; i < load->class_count; i++) {
        fprintf(out, "%s\n", i == 0 ? "" : ",");
        print_class(out, &load->classes[i]);
    }
    fprintf(out, "]}\n");
}
