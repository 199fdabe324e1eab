/* The pages of the Open Inference Protocol, version 2: what this server is, whether it is alive and
 * ready, and what its one model takes and gives. Clients for Triton and KServe ask for them; bodies
 * and fields are what those read. */
#include "api/handlers.h"

#include "gradient_wire.h"
#include "http/request.h"

#include <stdio.h>
#include <string.h>

#define PAGE_MAX 4096
#define ACTIVATION_NAME_SIZE 32

/* ---- The server ------------------------------------------------------------------------------ */

/* No statistics and no shared memory among the extensions: who measures servers asks for what is
 * listed. */
static outcome respond_server(request *r)
{
    return respond_document(r,
                            "{\"name\":\"gradientd\",\"version\":\"" GRAD_VERSION
                            "\",\"extensions\":[\"binary_tensor_data\",\"model_configuration\"]}");
}

static outcome respond_live(request *r)
{
    return respond_document(r, "{\"live\":true}");
}

static outcome respond_ready(request *r)
{
    return respond_if_ready(r, "{\"ready\":true}");
}

/* ---- The model ------------------------------------------------------------------------------- */

/* Words as the library spells them: a synonym is no model of its own. */
bool model_knows(const char *activation)
{
    const grad_activation_info *info = grad_activation_find(activation);

    return info != NULL && strcmp(info->name, activation) == 0;
}

const char *model_activation(const char *path)
{
    const size_t before = sizeof MODEL_PATH - 1;
    char name[ACTIVATION_NAME_SIZE];

    if (strncmp(path, MODEL_PATH "_", before + 1) != 0)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(path + before + 1, "/"), path + before + 1);
    return model_knows(name) ? grad_activation_find(name)->name : NULL;
}

/* Begins a document with the model's name. */
static void begin_page(const request *r, grad_text *text)
{
    char name[GRAD_INFERENCE_NAME_SIZE];

    grad_inference_name(model_activation(r->path), name);
    grad_text_init(text, PAGE_MAX);
    grad_text_printf(text, "{\"name\":\"%s\"", name);
}

static outcome end_page(request *r, grad_text *text)
{
    grad_text_printf(text, "}\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", text);
}

static outcome respond_model_ready(request *r)
{
    char name[GRAD_INFERENCE_NAME_SIZE], document[GRAD_INFERENCE_NAME_SIZE + 32];

    grad_inference_name(model_activation(r->path), name);
    snprintf(document, sizeof document, "{\"name\":\"%s\",\"ready\":true}", name);
    return respond_if_ready(r, document);
}

/* A tensor of the model. */
typedef struct model_tensor {
    const char *name;
    size_t rank;
    bool is_optional;
} model_tensor;

#define MODEL_TENSORS_MAX (3 + GRAD_MAX_LAYER_SLOTS)

/* The layer's states, then its parameters. Returns how many. */
static size_t list_inputs(model_tensor inputs[MODEL_TENSORS_MAX])
{
    const grad_layer_info *info = grad_layer_info_of(GRAD_DEFAULT_LAYER_KIND);
    size_t count = 0;

    inputs[count++] = (model_tensor){"input", 2, false};
    inputs[count++] = (model_tensor){"grad_output", 2, false};
    inputs[count++] = (model_tensor){"pre_activation", 2, true};
    for (size_t i = 0; i < info->slot_count; i++)
        inputs[count++] =
            (model_tensor){grad_slot_name(info->slots[i].slot), strlen(info->slots[i].shape), true};
    return count;
}

static size_t list_outputs(model_tensor outputs[MODEL_TENSORS_MAX])
{
    const grad_layer_info *info = grad_layer_info_of(GRAD_DEFAULT_LAYER_KIND);
    size_t count = 0;

    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].delta != GRAD_OUTPUT_COUNT)
            outputs[count++] = (model_tensor){grad_output_name(info->slots[i].delta),
                                              strlen(info->slots[i].shape), false};
    outputs[count++] = (model_tensor){grad_output_name(GRAD_GRAD_INPUT), 2, false};
    return count;
}

/* What a page calls a tensor's type and shape. */
typedef struct spelling {
    const char *type, *shape;
    bool says_optional;
} spelling;

/* "key":[{"name":"input", …, "shape":[-1,-1]}] */
static void add_tensors(grad_text *text, const spelling *spelled, const char *key,
                        const model_tensor *tensors, size_t count)
{
    grad_text_printf(text, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        grad_text_printf(text, "%s{\"name\":\"%s\",%s,\"%s\":[", i > 0 ? "," : "", tensors[i].name,
                         spelled->type, spelled->shape);
        for (size_t axis = 0; axis < tensors[i].rank; axis++)
            grad_text_put(text, axis > 0 ? ",-1" : "-1");
        grad_text_put(text, "]");
        if (spelled->says_optional && tensors[i].is_optional)
            grad_text_put(text, ",\"optional\":true");
        grad_text_put(text, "}");
    }
    grad_text_put(text, "]");
}

static outcome respond_model(request *r)
{
    model_tensor inputs[MODEL_TENSORS_MAX], outputs[MODEL_TENSORS_MAX];
    size_t input_count = list_inputs(inputs), output_count = list_outputs(outputs);
    static const spelling spelled = {"\"datatype\":\"FP32\"", "shape", false};
    grad_text text;

    begin_page(r, &text);
    grad_text_printf(&text, ",\"versions\":[\"%s\"],\"platform\":\"gradientd\"",
                     GRAD_INFERENCE_VERSION);
    add_tensors(&text, &spelled, "inputs", inputs, input_count);
    add_tensors(&text, &spelled, "outputs", outputs, output_count);
    return end_page(r, &text);
}

/* ---- Its configuration, as Triton has it ----------------------------------------------------- */

/* A max_batch_size of 0: the first axis is none that a client may leave out of its shapes. */
static outcome respond_configuration(request *r)
{
    model_tensor inputs[MODEL_TENSORS_MAX], outputs[MODEL_TENSORS_MAX];
    size_t input_count = list_inputs(inputs), output_count = list_outputs(outputs);
    static const spelling spelled = {"\"data_type\":\"TYPE_FP32\"", "dims", true};
    grad_text text;

    begin_page(r, &text);
    grad_text_printf(&text, ",\"platform\":\"gradientd\",\"max_batch_size\":0");
    add_tensors(&text, &spelled, "input", inputs, input_count);
    add_tensors(&text, &spelled, "output", outputs, output_count);
    return end_page(r, &text);
}

const handler handler_v2_server = {.on_end = respond_server};
const handler handler_v2_live = {.on_end = respond_live};
const handler handler_v2_ready = {.on_end = respond_ready};
const handler handler_v2_model = {.on_end = respond_model};
const handler handler_v2_model_ready = {.on_end = respond_model_ready};
const handler handler_v2_configuration = {.on_end = respond_configuration};
