/* A peer for the benchmark: the service as a competent programmer writes it in an afternoon, with
 * libmicrohttpd (a thread a connection), a jansson tree both ways and OpenBLAS for the product.
 * It answers POST /v1/gradients for the common case (nested arrays, reduction sum). It shares no
 * code with the project, and nothing of the project uses it. */
#include <cblas.h>
#include <jansson.h>
#include <math.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct upload {
    char *data;
    size_t length, capacity;
};

struct matrix {
    float *data;
    size_t rows, columns;
};

static int matrix_read(const json_t *array, struct matrix *m)
{
    m->rows = json_array_size(array);
    m->columns = json_array_size(json_array_get(array, 0));
    m->data = NULL;
    if (m->rows == 0 || m->columns == 0)
        return 0;
    m->data = malloc(m->rows * m->columns * sizeof(float));
    if (!m->data)
        return 0;
    for (size_t i = 0; i < m->rows; i++) {
        const json_t *row = json_array_get(array, i);
        if (json_array_size(row) != m->columns)
            return 0;
        for (size_t j = 0; j < m->columns; j++) {
            const json_t *value = json_array_get(row, j);
            if (!json_is_number(value))
                return 0;
            m->data[i * m->columns + j] = (float)json_number_value(value);
        }
    }
    return 1;
}

static json_t *row_write(const float *values, size_t count)
{
    json_t *row = json_array();
    for (size_t j = 0; row && j < count; j++) {
        if (json_array_append_new(row, json_real((double)values[j])) != 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

static json_t *matrix_write(const float *values, size_t rows, size_t columns)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < rows; i++) {
        if (json_array_append_new(array, row_write(values + i * columns, columns)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int activation_slope(const char *name, float z, float *slope)
{
    if (strcmp(name, "relu") == 0) {
        *slope = z > 0 ? 1.0f : 0.0f;
    } else if (strcmp(name, "sigmoid") == 0) {
        float y = 1.0f / (1.0f + expf(-z));
        *slope = y * (1.0f - y);
    } else if (strcmp(name, "tanh") == 0) {
        float y = tanhf(z);
        *slope = 1.0f - y * y;
    } else if (strcmp(name, "identity") == 0) {
        *slope = 1.0f;
    } else {
        return 0;
    }
    return 1;
}

/* delta is grad_output on entry, and is multiplied by f'(z). */
static int delta_compute(const char *activation, const struct matrix *z, struct matrix *delta)
{
    for (size_t i = 0; i < z->rows * z->columns; i++) {
        float slope;
        if (!activation_slope(activation, z->data[i], &slope))
            return 0;
        delta->data[i] *= slope;
    }
    return 1;
}

static json_t *layer_answer(const struct matrix *x, const struct matrix *delta, float *weight_delta,
                            float *bias_delta)
{
    size_t B = x->rows, K = x->columns, N = delta->columns;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)N, (int)K, (int)B, 1.0f, delta->data,
                (int)N, x->data, (int)K, 0.0f, weight_delta, (int)K);
    for (size_t b = 0; b < B; b++)
        for (size_t n = 0; n < N; n++)
            bias_delta[n] += delta->data[b * N + n];
    return json_pack("{s:o, s:o}", "weight_delta", matrix_write(weight_delta, N, K), "bias_delta",
                     row_write(bias_delta, N));
}

static json_t *layer_backward(const json_t *layer)
{
    struct matrix x = {0}, z = {0}, delta = {0};
    const char *activation = json_string_value(json_object_get(layer, "activation"));
    json_t *answer = NULL;
    if (activation && matrix_read(json_object_get(layer, "input"), &x) &&
        matrix_read(json_object_get(layer, "pre_activation"), &z) &&
        matrix_read(json_object_get(layer, "grad_output"), &delta) && x.rows == z.rows &&
        z.rows == delta.rows && z.columns == delta.columns &&
        delta_compute(activation, &z, &delta)) {
        float *weight_delta = malloc(x.columns * z.columns * sizeof(float));
        float *bias_delta = calloc(z.columns, sizeof(float));
        if (weight_delta && bias_delta)
            answer = layer_answer(&x, &delta, weight_delta, bias_delta);
        free(weight_delta);
        free(bias_delta);
    }
    free(x.data);
    free(z.data);
    free(delta.data);
    return answer;
}

static char *gradients(const struct upload *body)
{
    json_error_t error;
    json_t *request = json_loadb(body->data, body->length, 0, &error);
    const json_t *layers = json_object_get(request, "layers");
    json_t *answers = json_array();
    char *text = NULL;
    size_t i;
    const json_t *layer;
    json_array_foreach(layers, i, layer)
    {
        if (json_array_append_new(answers, layer_backward(layer)) != 0)
            break;
    }
    int complete = json_is_array(layers) && json_array_size(answers) == json_array_size(layers);
    json_t *reply = json_pack("{s:o}", "layers", answers);
    if (complete)
        text = json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(reply);
    json_decref(request);
    return text;
}

static int upload_add(struct upload *body, const char *data, size_t size)
{
    if (body->length + size > body->capacity) {
        size_t capacity = 2 * (body->length + size);
        char *bigger = realloc(body->data, capacity);
        if (!bigger)
            return 0;
        body->data = bigger;
        body->capacity = capacity;
    }
    memcpy(body->data + body->length, data, size);
    body->length += size;
    return 1;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *unused, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)unused;
    (void)url;
    (void)version;
    struct upload *body = *state;
    if (!body) {
        *state = calloc(1, sizeof(struct upload));
        return *state ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        if (!upload_add(body, data, *size))
            return MHD_NO;
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "POST") != 0)
        return answer(connection, MHD_HTTP_OK, strdup("{}"));
    char *text = gradients(body);
    return text ? answer(connection, MHD_HTTP_OK, text)
                : answer(connection, MHD_HTTP_BAD_REQUEST, strdup("{\"error\":\"bad request\"}"));
}

static void finished(void *unused, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode how)
{
    (void)unused;
    (void)connection;
    (void)how;
    struct upload *body = *state;
    if (body)
        free(body->data);
    free(body);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: naive_daemon PORT\n");
        return 2;
    }
    sigset_t stop;
    int number;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, (uint16_t)atoi(argv[1]),
        NULL, NULL, handle, NULL, MHD_OPTION_NOTIFY_COMPLETED, finished, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(128 * 1024), MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "naive_daemon: cannot listen on port %s\n", argv[1]);
        return 1;
    }
    sigwait(&stop, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
