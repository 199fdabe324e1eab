/* Trains a network on handwritten digits through gradientd: the forward pass runs here, every
 * step's backward pass is the service's. No gradient of a weight is computed in this file.
 *
 *     gzip -dc data/digits.csv.gz | build/examples/train_digits [http://HOST:PORT]
 *
 * The network is 64 pixels -> 64, relu -> 10, softmax; the loss is cross-entropy, L = -ln y[label].
 * A step sends the softmax layer first, with ∂L/∂y; the answer's grad_input is ∂L/∂y of the layer
 * below, and goes into the next request. The answers are scaled by -learning rate, ready to be
 * added to the weights. Exits with 1 where fewer than 96 % of the held-out digits are right. */
#include "gradient_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIXELS = 64, HIDDEN = 64, CLASSES = 10, MAX_WIDTH = 64 };
enum { MAX_DIGITS = 2000, BATCH = 32, EPOCHS = 30, LINE_EVERY = 5 };
#define LEARNING_RATE 0.3
#define ACCURACY_NEEDED 0.96

typedef struct digit {
    float pixels[PIXELS]; /* 0 to 1 */
    int label;
} digit;

/* One dense layer: its weights, and the states of the last forward pass of a batch. */
typedef struct layer {
    const char *name;
    grad_activation activation;
    size_t K, N;
    float W[MAX_WIDTH * MAX_WIDTH]; /* [N,K] */
    float b[MAX_WIDTH];
    float x[BATCH * MAX_WIDTH]; /* [B,K] */
    float z[BATCH * MAX_WIDTH]; /* [B,N] */
    float y[BATCH * MAX_WIDTH]; /* [B,N] */
} layer;

typedef struct trainer {
    gradient_client *service;
    layer hidden, output;
    digit digits[MAX_DIGITS]; /* the first ones are for training, the rest is held out */
    size_t count, training;
    uint64_t random;
    size_t requests, bytes_sent, bytes_received;
} trainer;

/* Uniform in [0, 1), from a linear congruential generator (Knuth's MMIX): the same every run. */
static double next_random(trainer *t)
{
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(t->random >> 11) * 0x1p-53;
}

static void shuffle(trainer *t, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(next_random(t) * (double)i);
        digit swapped = t->digits[i - 1];
        t->digits[i - 1] = t->digits[j];
        t->digits[j] = swapped;
    }
}

/* Lines of 64 pixels from 0 to 16 and a label. */
static bool read_digits(trainer *t)
{
    for (; t->count < MAX_DIGITS; t->count++) {
        digit *d = &t->digits[t->count];
        for (size_t p = 0; p < PIXELS; p++) {
            if (scanf("%f,", &d->pixels[p]) != 1)
                return p == 0 && t->count > 0 && feof(stdin);
            d->pixels[p] /= 16;
        }
        if (scanf("%d", &d->label) != 1 || d->label < 0 || d->label >= CLASSES)
            return false;
    }
    return false;
}

/* Glorot's uniform: ± sqrt(6 / (K + N)). */
static void begin_layer(trainer *t, layer *l, const char *name, grad_activation_kind kind, size_t K,
                        size_t N)
{
    double width = sqrt(6.0 / (double)(K + N));

    *l = (layer){.name = name, .activation = grad_activation_default(kind), .K = K, .N = N};
    for (size_t i = 0; i < N * K; i++)
        l->W[i] = (float)((2 * next_random(t) - 1) * width);
}

static void layer_forward(layer *l, size_t B)
{
    grad_dense_forward(B, l->K, l->N, l->x, l->W, l->b, l->z);
    grad_activation_forward(&l->activation, B, l->N, l->z, l->y);
}

/* After it, output.y holds the probabilities of the classes of B digits. */
static void forward(trainer *t, const digit *digits, size_t B)
{
    for (size_t s = 0; s < B; s++)
        memcpy(t->hidden.x + s * PIXELS, digits[s].pixels, sizeof digits[s].pixels);
    layer_forward(&t->hidden, B);
    memcpy(t->output.x, t->hidden.y, sizeof t->hidden.y);
    layer_forward(&t->output, B);
}

static void add(float *to, const grad_tensor *delta)
{
    const float *from = delta->data;

    for (size_t i = 0; i < grad_tensor_count(delta); i++)
        to[i] += from[i];
}

/* Asks the service for the layer's deltas and adds them. grad_output is ∂L/∂y; grad_input takes
 * ∂L/∂x, or is NULL where there is nothing below. */
static void layer_backward(trainer *t, layer *l, size_t B, float *grad_output, float *grad_input)
{
    grad_layer states = {
        .name = l->name,
        .activation = l->activation,
        .input = {l->x, 2, {B, l->K}},
        .pre_activation = {l->z, 2, {B, l->N}},
        .grad_output = {grad_output, 2, {B, l->N}},
        .weight = {grad_input != NULL ? l->W : NULL, 2, {l->N, l->K}},
    };
    grad_batch batch = {
        .reduction = GRAD_MEAN, .scale = -LEARNING_RATE, .layer_count = 1, .layers = &states};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_reply reply;

    if (gradient_client_compute(t->service, &batch, &reply, &error) != GRADIENT_CLIENT_OK) {
        fprintf(stderr, "\ntrain_digits: %s\n", error.message);
        exit(1);
    }
    add(l->W, &reply.reply->layers[0].weight_delta);
    add(l->b, &reply.reply->layers[0].bias_delta);
    if (grad_input != NULL)
        memcpy(grad_input, reply.reply->layers[0].grad_input.data, B * l->K * sizeof(float));
    t->requests++;
    t->bytes_sent += reply.bytes_sent;
    t->bytes_received += reply.bytes_received;
    gradient_client_reply_free(&reply);
}

/* One step over B digits. Returns the sum of their losses. */
static double step(trainer *t, const digit *digits, size_t B)
{
    float grad_output[BATCH * CLASSES] = {0};
    float grad_hidden[BATCH * HIDDEN];
    double loss = 0;

    forward(t, digits, B);
    for (size_t s = 0; s < B; s++) {
        size_t right = s * CLASSES + (size_t)digits[s].label;
        float y = fmaxf(t->output.y[right], 1e-30f);
        loss -= log(y);
        grad_output[right] = -1 / y; /* ∂L/∂y, and 0 for the other classes */
    }
    layer_backward(t, &t->output, B, grad_output, grad_hidden);
    layer_backward(t, &t->hidden, B, grad_hidden, NULL);
    return loss;
}

/* The share of the held-out digits that the network reads right. */
static double accuracy(trainer *t)
{
    size_t right = 0;

    for (size_t i = t->training; i < t->count; i++) {
        const float *y = t->output.y;
        size_t best = 0;
        forward(t, &t->digits[i], 1);
        for (size_t n = 1; n < CLASSES; n++)
            best = y[n] > y[best] ? n : best;
        right += best == (size_t)t->digits[i].label;
    }
    return (double)right / (double)(t->count - t->training);
}

static void show_progress(int epoch, double loss, double held_out)
{
    static const char bar[] = "##############################";
    bool terminal = isatty(STDOUT_FILENO);

    if (terminal || epoch == 1 || epoch % LINE_EVERY == 0) {
        printf("%sepoch %2d/%d ", terminal ? "\r" : "", epoch, EPOCHS);
        if (terminal)
            printf("[%-30.*s] ", epoch * 30 / EPOCHS, bar);
        printf("loss %.4f  accuracy %.1f %%%s", loss, 100 * held_out,
               terminal && epoch < EPOCHS ? "" : "\n");
        fflush(stdout);
    }
}

static double train(trainer *t)
{
    double held_out = 0;

    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        double loss = 0;
        shuffle(t, t->training);
        for (size_t first = 0; first < t->training; first += BATCH) {
            size_t left = t->training - first;
            loss += step(t, &t->digits[first], left < BATCH ? left : BATCH);
        }
        held_out = accuracy(t);
        show_progress(epoch, loss / (double)t->training, held_out);
    }
    return held_out;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    static trainer t = {.random = 1};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    double begin, held_out;

    if (gradient_client_open(argc > 1 ? argv[1] : "http://127.0.0.1:8080", NULL, &t.service,
                             &error) != GRADIENT_CLIENT_OK) {
        fprintf(stderr, "train_digits: %s\n", error.message);
        return 1;
    }
    if (!read_digits(&t)) {
        fprintf(stderr,
                "train_digits: standard input has no digits: lines of 64 pixels, a label\n");
        return 1;
    }
    shuffle(&t, t.count);
    t.training = t.count - t.count / 5;
    begin_layer(&t, &t.hidden, "hidden", GRAD_RELU, PIXELS, HIDDEN);
    begin_layer(&t, &t.output, "output", GRAD_SOFTMAX, HIDDEN, CLASSES);
    begin = seconds();
    held_out = train(&t);
    printf("accuracy %.2f %% on %zu held-out digits\n", 100 * held_out, t.count - t.training);
    printf("%zu requests, %.1f MB sent, %.1f MB received, %.2f ms a step\n", t.requests,
           (double)t.bytes_sent * 1e-6, (double)t.bytes_received * 1e-6,
           1e3 * (seconds() - begin) / (double)(t.requests / 2));
    gradient_client_close(t.service);
    return held_out >= ACCURACY_NEEDED ? 0 : 1;
}
