/* Layers as text: their kinds and the shapes of their tensors. */
#include "api/shapes.h"

#include "gradient_wire.h"

#define MOST_LAYERS 4

static void put_tensor(grad_text *line, const char *before, const char *name,
                       const grad_tensor *tensor)
{
    grad_text_put(line, before);
    grad_text_put(line, name);
    grad_text_put(line, " ");
    for (size_t axis = 0; axis < tensor->rank; axis++) {
        grad_text_put(line, axis > 0 ? "x" : "");
        grad_text_unsigned(line, tensor->shape[axis]);
    }
}

static void put_layer(grad_text *line, const grad_layer *layer)
{
    const struct {
        const char *name;
        const grad_tensor *tensor;
    } rows[] = {{"input", &layer->input},
                {"pre_activation", &layer->pre_activation},
                {"grad_output", &layer->grad_output},
                {"weight", &layer->weight}};
    const char *before = " ";

    grad_text_put(line, grad_layer_info_of(layer->kind)->name);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].tensor->data == NULL)
            continue;
        put_tensor(line, before, rows[i].name, rows[i].tensor);
        before = ", ";
    }
}

void shapes_write(const grad_batch *batch, char *text, size_t size)
{
    grad_text line;

    grad_text_init_in(&line, text, size);
    for (size_t i = 0; i < batch->layer_count && i < MOST_LAYERS; i++) {
        if (i > 0)
            grad_text_put(&line, "; ");
        put_layer(&line, &batch->layers[i]);
    }
    if (batch->layer_count > MOST_LAYERS) {
        grad_text_put(&line, "; and ");
        grad_text_unsigned(&line, batch->layer_count - MOST_LAYERS);
        grad_text_put(&line, " more");
    }
}
