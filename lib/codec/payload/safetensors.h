/* The header of a safetensors body: 8 bytes with its length n, little-endian, then n bytes of JSON
 * that say of each tensor its dtype, its shape and where its bytes lie behind the header; and
 * "__metadata__", whose "document" is the rest of what the body says. All of it is a stranger's:
 * nothing is taken before it was checked. */
#ifndef GRAD_CODEC_PAYLOAD_SAFETENSORS_H
#define GRAD_CODEC_PAYLOAD_SAFETENSORS_H

#include "gradient.h"

#define GRAD_SAFETENSORS_PREFIX 8
#define GRAD_SAFETENSORS_METADATA "__metadata__"
#define GRAD_SAFETENSORS_DOCUMENT "document"

/* A tensor; its texts are parts of the header's. */
typedef struct grad_safetensors_tensor {
    const char *name;     /* "layers.0.input" */
    size_t name_length;   /* in bytes, */
    size_t parent_length; /* and of what is before its last point ("layers.0"); 0: nothing is */
    const char *shape;    /* with its brackets */
    size_t shape_length;
    grad_wire_datatype wire;
    size_t begin, end; /* its bytes, counted from the end of the header */
    size_t place;      /* of their number in the document's envelope, once it is there; else 0 */
} grad_safetensors_tensor;

typedef struct grad_safetensors_header {
    size_t max;      /* bytes that it may have */
    size_t received; /* bytes of the body so far, none behind the header */
    size_t length;   /* of the header alone, once the first 8 bytes are there */
    unsigned char prefix[GRAD_SAFETENSORS_PREFIX];
    char *text;
    grad_safetensors_tensor *tensors;
    size_t count, capacity;
    bool has_metadata;
    const char *document; /* inside of the string, with its escapes; NULL: there is none */
    size_t document_length;
} grad_safetensors_header;

/* Takes the next bytes of the body, from *bytes on up to end or to the header's end, and moves
 * *bytes behind them. Errors, of all functions here: GRAD_MALFORMED malformed_safetensors and
 * length_mismatch, GRAD_INVALID, GRAD_TOO_LARGE max_envelope, GRAD_OUT_OF_MEMORY. */
grad_status grad_safetensors_push(grad_safetensors_header *header, const char **bytes,
                                  const char *end, grad_error *error);

bool grad_safetensors_is_whole(const grad_safetensors_header *header);

/* The body ends within the header. */
grad_status grad_safetensors_fail_short(const grad_safetensors_header *header, grad_error *error);

/* Reads the whole header. Each tensor's bytes are as many as its dtype and shape need, no name
 * comes twice, and behind each other they are all bytes there are, without a gap. The tensors are
 * sorted by name. */
grad_status grad_safetensors_read(grad_safetensors_header *header, grad_error *error);

/* Sorts them by where their bytes lie. */
void grad_safetensors_sort_by_offset(grad_safetensors_header *header);

/* Reads the escape of JSON at p, a backslash: *code is the character that it stands for. Returns
 * how long it is; 0: it is none, or half a pair of surrogates. */
size_t grad_safetensors_escape(const char *p, const char *end, unsigned *code);

/* The byte of the body that this part of the header's text begins at. */
int64_t grad_safetensors_offset(const grad_safetensors_header *header, const char *part);

/* The RFC 6901 pointer of what the tensor is in the document: "/layers/0/input". */
void grad_safetensors_pointer(const grad_safetensors_tensor *tensor, char *pointer);

/* How the format calls a datatype: "F32". */
const char *grad_safetensors_dtype(grad_wire_datatype wire);

/* Writes the first 8 bytes of a body whose header has that length. */
void grad_safetensors_write_length(size_t length, char prefix[GRAD_SAFETENSORS_PREFIX]);

/* Bytes of memory that it holds. */
size_t grad_safetensors_memory(const grad_safetensors_header *header);

/* Frees the text: the tensors' texts are gone with it. */
void grad_safetensors_free_text(grad_safetensors_header *header);
void grad_safetensors_free(grad_safetensors_header *header);

#endif
