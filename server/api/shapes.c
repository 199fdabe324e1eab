/* Layers as text: their kinds and the shapes of their tensors. */
#include "api/shapes.h"

#include <stdarg.h>
#include <stdio.h>

#define MOST_LAYERS 4

typedef struct line {
    char *text;
    size_t size, length;
} line;

static void put(line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(line *l, const char *format, ...)
{
    va_list arguments;
    int wanted;

    if (l->length + 1 >= l->size)
        return;
    va_start(arguments, format);
    wanted = vsnprintf(l->text + l->length, l->size - l->length, format, arguments);
    va_end(arguments);
    l->length += wanted > 0 ? (size_t)wanted : 0;
}

static void put_tensor(line *l, const char *before, const char *name, const grad_tensor *tensor)
{
    put(l, "%s%s ", before, name);
    for (size_t axis = 0; axis < tensor->rank; axis++)
        put(l, "%s%zu", axis > 0 ? "x" : "", tensor->shape[axis]);
}

static void put_layer(line *l, const grad_layer *layer)
{
    const struct {
        const char *name;
        const grad_tensor *tensor;
    } rows[] = {{"input", &layer->input},
                {"pre_activation", &layer->pre_activation},
                {"grad_output", &layer->grad_output},
                {"weight", &layer->weight}};
    const char *before = " ";

    put(l, "%s", grad_layer_info_of(layer->kind)->name);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].tensor->data == NULL)
            continue;
        put_tensor(l, before, rows[i].name, rows[i].tensor);
        before = ", ";
    }
}

void shapes_write(const grad_batch *batch, char *text, size_t size)
{
    line l = {.text = text, .size = size};

    text[0] = '\0';
    for (size_t i = 0; i < batch->layer_count && i < MOST_LAYERS; i++) {
        put(&l, "%s", i > 0 ? "; " : "");
        put_layer(&l, &batch->layers[i]);
    }
    if (batch->layer_count > MOST_LAYERS)
        put(&l, "; and %zu more", batch->layer_count - MOST_LAYERS);
}
