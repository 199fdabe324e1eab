/* A request being read: what its fields need to know of each other, and the functions that read
 * them, file by file. A new field is a row in a table and the function that reads its value. */
#ifndef GRAD_CODEC_DOCUMENT_REQUEST_H
#define GRAD_CODEC_DOCUMENT_REQUEST_H

#include "codec/document/document.h"
#include "core/size.h"

/* Where a field may stand: bits. */
enum {
    GRAD_IN_GRADIENTS = 1, /* layers that are independent */
    GRAD_IN_NETWORK = 2,   /* layers that are chained */
    GRAD_IN_BOTH = GRAD_IN_GRADIENTS | GRAD_IN_NETWORK,
    GRAD_IN_CHECK = 4 /* only in a check of those */
};

/* A layer and, in a check, what the client takes for its deltas. */
typedef struct grad_decoded_layer {
    grad_layer layer;
    grad_layer_result claims;
} grad_decoded_layer;

/* The fields of a kind of layer, whose target is a grad_decoded_layer. */
typedef struct grad_layer_fields {
    size_t count;
    grad_field fields[GRAD_FIELDS_MAX];
    grad_layer defaults;
} grad_layer_fields;

typedef struct grad_request {
    unsigned places; /* GRAD_IN_GRADIENTS or GRAD_IN_NETWORK, and GRAD_IN_CHECK where it is one */
    bool continues;  /* a layer that cannot be read is marked with its error */
    grad_request_block *block;
    grad_layer_result *claims;                             /* of a check, one a layer; else NULL */
    grad_layer_fields layer_fields[GRAD_LAYER_KIND_COUNT]; /* listed when the first is read */
} grad_request;

/* A field of a request or of a layer. */
typedef struct grad_request_field {
    grad_field field;
    unsigned places;
} grad_request_field;

/* Fills in fields[0 … count): those of rows that may not stand in this request say where they
 * belong. */
void grad_request_choose(const grad_request *request, const grad_request_field *rows, size_t count,
                         grad_field *fields);

/* Makes the block of a request of that many layers, its options at their defaults; the reader reads
 * it from now on. The caller frees it. NULL and an error where there is no memory. */
grad_request_block *grad_request_begin(const grad_document *document, size_t layers,
                                       grad_request *request, grad_reader *reader, size_t *size);

/* The field of an option of the whole request, whose target is the request's block. The name is one
 * that there is. */
grad_field grad_request_option(const char *name);

/* The fields of that kind of layer, and a layer that has none of them yet. */
const grad_layer_fields *grad_request_fields_of(const grad_reader *reader, grad_layer_kind kind);

/* The activation of the layer that target is. */
grad_decode_function grad_request_activation;

/* The fields of an activation's parameters, of a layer at that offset of the target. Returns how
 * many; there is room for GRAD_MAX_PARAMETERS. */
size_t grad_request_parameter_fields(const grad_activation_info *info, size_t layer,
                                     grad_field *fields);

grad_decode_function grad_request_layers; /* nothing: goes to the request's block */

/* Finds the layers that residual fields name; value is the array of layers. */
grad_status grad_request_residuals(grad_reader *reader, const grad_path *path, const json_t *value);

/* Numbers that stand for tensors of one get the rank of the tensors beside them.
 * Errors: unexpected_type, where there is none that tells. */
grad_status grad_request_ranks_of_network(grad_reader *reader, const grad_path *root);

/* Whether the target of such a loss is a number a sample, or may be. */
bool grad_request_counts_samples(const grad_loss *loss);

#endif
