/* Numbers that stand for tensors of one, where their rank is that of the samples: a vector if one
 * sample is given as vectors, else a matrix. The tensors beside them tell which; whether those
 * agree is asked elsewhere. */
#include "codec/document/request.h"

/* The tensors of samples that belong together, looked at twice. */
typedef struct family {
    grad_reader *reader;
    size_t rank;  /* the largest, once all have been looked at; 0: only numbers alone */
    bool settles; /* the second time: ranks are given */
} family;

static grad_status visit(family *f, const grad_path *parent, const char *key, grad_tensor *tensor)
{
    grad_path path = {.parent = parent, .key = key};

    f->rank = f->rank > tensor->rank ? f->rank : tensor->rank;
    if (!f->settles || tensor->data == NULL || tensor->rank > 0)
        return GRAD_OK;
    if (f->rank == 0)
        return grad_decode_fail_single(f->reader, &path);
    grad_decode_give_rank(tensor, f->rank);
    return GRAD_OK;
}

static grad_status visit_layer(family *f, const grad_path *path, grad_layer *layer)
{
    grad_path dropout = {.parent = path, .key = "dropout"};
    grad_status status = visit(f, path, "input", &layer->input);

    if (status == GRAD_OK)
        status = visit(f, path, "pre_activation", &layer->pre_activation);
    if (status == GRAD_OK)
        status = visit(f, path, "grad_output", &layer->grad_output);
    return status == GRAD_OK ? visit(f, &dropout, "mask", &layer->dropout_mask) : status;
}

static grad_status visit_network(family *f, const grad_path *root, grad_request_block *block)
{
    grad_network *network = &block->network;
    grad_path layers = {.parent = root, .key = "layers"};
    grad_path loss = {.parent = root, .key = "loss"};
    grad_status status = visit(f, root, "input", &network->input);

    for (size_t i = 0; i < block->batch.layer_count && status == GRAD_OK; i++) {
        grad_path layer = {.parent = &layers, .index = i};

        status = visit_layer(f, &layer, &block->batch.layers[i]);
    }
    if (status == GRAD_OK)
        status = visit(f, root, "grad_output", &network->grad_output);
    if (status == GRAD_OK && !grad_request_counts_samples(&network->loss))
        status = visit(f, &loss, "target", &network->loss.target);
    if (status == GRAD_OK)
        status = visit(f, &loss, "variance", &network->loss.variance);
    if (status == GRAD_OK)
        status = visit(f, &loss, "other", &network->loss.other);
    return status == GRAD_OK ? visit(f, root, "grad_input", &block->check.claimed_grad_input)
                             : status;
}

grad_status grad_request_ranks_of_layer(grad_reader *reader, const grad_path *path,
                                        grad_layer *layer, grad_tensor *claimed_grad_input)
{
    family f = {.reader = reader};
    grad_status status = GRAD_OK;

    for (int pass = 0; pass < 2 && status == GRAD_OK; pass++) {
        f.settles = pass == 1;
        status = visit_layer(&f, path, layer);
        if (status == GRAD_OK)
            status = visit(&f, path, "grad_input", claimed_grad_input);
    }
    return status;
}

grad_status grad_request_ranks_of_network(grad_reader *reader, const grad_path *root)
{
    family f = {.reader = reader};
    grad_status status = visit_network(&f, root, reader->request->block);

    f.settles = true;
    return status == GRAD_OK ? visit_network(&f, root, reader->request->block) : status;
}
