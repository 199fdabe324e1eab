/* gradient_wire.h: JSON documents to batches and back, for both ends: the daemon reads requests and
 * writes replies, a client writes requests and reads replies.
 *
 *     #include <gradient_wire.h>
 *     #include <stdio.h>
 *     #include <string.h>
 *
 *     int main(void)
 *     {
 *         const char *text = "{\"layers\": [{\"activation\": \"relu\", \"input\": [1, 2],"
 *                            " \"pre_activation\": [0.5], \"grad_output\": [3]}]}";
 *         grad_error error = GRAD_ERROR_INIT;
 *         grad_decoder *decoder = NULL;
 *         grad_batch *batch = NULL;
 *         if (grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, &error) ||
 *             grad_decoder_push(decoder, text, strlen(text), &error) ||
 *             grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, &error))
 *             return fprintf(stderr, "%s\n", error.detail), 1;
 *         printf("%zu layer, K = %zu\n", batch->layer_count, batch->layers[0].input.shape[0]);
 *         grad_decoder_destroy(decoder);
 *         return 0; // 1 layer, K = 2
 *     }
 *
 * No sockets and no HTTP here: bytes come in pieces of any size, and go out as segments.
 *
 * Reading. A push decoder takes the document as it arrives. Arrays of numbers go straight into
 * memory of the datatype, correctly rounded; everything else is collected in a small envelope,
 * which jansson judges at the end (RFC 8259, strictly; duplicate names are errors). Memory grows
 * with the tensors and the envelope, never with the text. What is no JSON, or beyond a cap, is
 * found on the way; a fault of an array (ragged, a number out of range, something that is none) is
 * told at the end, by whoever reads the array, and what follows it in the array is not kept.
 *
 * Writing. An encoder cuts the document into segments, each printed independently (on any thread),
 * numbers in the shortest decimal that reads back as the same float, or the shortest of 15 to 17
 * digits that reads back as the same double.
 *
 * Tensors are spelled as nested arrays of numbers, as {"shape": […], "data": […]}, or as bytes:
 * {"shape": […], "datatype": "FP32", "base64": "…"}. What is written is as the batch's encoding
 * says. JSON has no NaN: non-finite numbers are the strings "NaN", "Infinity" and "-Infinity"
 * inside arrays; bytes hold them as they are.
 *
 * Errors, ownership, threads: as gradient.h says, unless a function says otherwise. Allocation
 * failures are GRAD_OUT_OF_MEMORY everywhere and leave nothing behind.
 */
#ifndef GRADIENT_WIRE_H
#define GRADIENT_WIRE_H

#include "gradient.h"
#include "gradient_network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Numbers --------------------------------------------------------------------------------- */

/* The longest number that is read, in bytes; a longer one is an error of its own. */
#define GRAD_NUMBER_TEXT_MAX 1024

/* The most bytes that grad_number_write writes. */
#define GRAD_NUMBER_WRITE_MAX 16

/* What became of the reading of one number. */
typedef enum grad_number_status {
    GRAD_NUMBER_OK,
    GRAD_NUMBER_MALFORMED,   /* not a JSON number */
    GRAD_NUMBER_OUT_OF_RANGE /* rounds to infinity in float32 */
} grad_number_status;

/* Reads the JSON number that begins at text, up to but not including end, as the nearest float32
 * (ties to even; subnormals and -0 are kept). On OK *value holds it and *stop points behind it; on
 * an error *stop points at the offending byte (MALFORMED) or behind the number (OUT_OF_RANGE) and
 * *value is untouched. The text must be whole: what follows the number, or end, ends it. */
GRAD_API grad_number_status grad_number_read(const char *text, const char *end, float *value,
                                             const char **stop);

/* Writes the shortest decimal that reads back as value (finite), also for a reader that parses it
 * as double and rounds; at most 9 significant digits. Of such decimals it is the nearest, but for
 * FLT_MAX: "3.4028234e38", which is not beyond it. Integers have no fraction; -0 is "-0.0", so
 * that readers with integers keep its sign. buffer has room for GRAD_NUMBER_WRITE_MAX bytes.
 * Returns the end of the text; there is no terminating NUL. */
GRAD_API char *grad_number_write(float value, char *buffer);

/* ---- Text ------------------------------------------------------------------------------------ */

/* A growing text with a maximum given at birth. The first failure (memory or maximum) sticks and
 * turns later additions into nothing; ask grad_text_status once, at the end. */
typedef struct grad_text {
    char *data; /* NUL-terminated when length > 0 */
    size_t length;
    size_t capacity;
    size_t max;
    grad_status status;
} grad_text;

/* Makes *text an empty one that may grow to max bytes, the terminating NUL not counted. Allocates
 * nothing. What *text held is forgotten, not freed. The caller owns data and frees it by
 * grad_text_free. A text is used by one thread at a time. */
GRAD_API void grad_text_init(grad_text *text, size_t max);

/* The same in size bytes (not 0) of the caller's, where the text stays: it holds size - 1 bytes
 * at most, allocates nothing, and is not given to grad_text_free. */
GRAD_API void grad_text_init_in(grad_text *text, char *buffer, size_t size);

/* Adds length bytes as they are, which may be anything but a part of the text itself; bytes may be
 * NULL where length is 0. Whole or not at all: see grad_text. */
GRAD_API void grad_text_add(grad_text *text, const char *bytes, size_t length);

/* Adds a word as it is, up to its NUL. */
GRAD_API void grad_text_put(grad_text *text, const char *word);

/* Adds what printf would print. Whole or not at all: see grad_text; nothing where the format cannot
 * be printed. */
GRAD_API void grad_text_printf(grad_text *text, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Adds a JSON string, quoted and escaped. utf8 ends with a NUL; bytes that are not UTF-8 become
 * U+FFFD. */
GRAD_API void grad_text_string(grad_text *text, const char *utf8);

/* Adds '/' and length bytes of a name as JSON Pointers spell it (RFC 6901, section 3). */
GRAD_API void grad_text_token(grad_text *text, const char *name, size_t length);

/* Adds a whole number in decimal digits. */
GRAD_API void grad_text_unsigned(grad_text *text, uint64_t value);

/* Adds a point and three digits: .007 for 7. value is below 1000. */
GRAD_API void grad_text_thousandths(grad_text *text, unsigned value);

/* Adds a JSON number, 17 significant digits at most; null where value is not finite. */
GRAD_API void grad_text_number(grad_text *text, double value);

/* Whether all that was added is there: GRAD_OK, or the first failure, after which the text is cut
 * short. Errors: GRAD_OUT_OF_MEMORY; GRAD_TOO_LARGE max_text. */
GRAD_API grad_status grad_text_status(const grad_text *text, grad_error *error);

/* Frees data, and leaves an empty text of the same maximum, its failure forgotten. To free one
 * twice does no harm; text is not NULL. */
GRAD_API void grad_text_free(grad_text *text);

/* ---- Reading --------------------------------------------------------------------------------- */

/* The defaults of grad_wire_limits, which are the daemon's too. Plain digits: it prints them. */
#define GRAD_DEFAULT_MAX_NUMBERS 67108864
#define GRAD_DEFAULT_MAX_ENVELOPE 262144
#define GRAD_DEFAULT_MAX_LAYERS 1024
#define GRAD_DEFAULT_MAX_DEPTH 32

/* Caps of a document. Start from GRAD_WIRE_LIMITS_INIT. 0 means the default: GRAD_DEFAULT_MAX_ and
 * the name. */
typedef struct grad_wire_limits {
    size_t size;         /* of the struct: see grad_options_read */
    size_t max_numbers;  /* elements of all tensors together */
    size_t max_envelope; /* bytes of all that is not an array of numbers */
    size_t max_layers;
    size_t max_depth; /* nesting of arrays and objects; 256 at most */
} grad_wire_limits;

#define GRAD_WIRE_LIMITS_INIT                                                                      \
    {                                                                                              \
        sizeof(grad_wire_limits), 0, 0, 0, 0                                                       \
    }

/* A document being read. Distinct decoders may be used by distinct threads at once. */
typedef struct grad_decoder grad_decoder;

/* A decoder for one document, whose numbers are read as datatype. expected_bytes, the document's
 * length where it is known (else 0), sizes the first block; it is no cap. limits may be NULL. The
 * caller owns *decoder. */
GRAD_API grad_status grad_decoder_create(const grad_wire_limits *limits, grad_datatype datatype,
                                         size_t expected_bytes, grad_decoder **decoder,
                                         grad_error *error);

/* Before the first piece: the document is document_length bytes long, as the header
 * Inference-Header-Content-Length says, and the bytes of its tensors follow it, those with a
 * "binary_data_size", in its order and without padding. */
GRAD_API void grad_decoder_expect_tail(grad_decoder *decoder, size_t document_length);

/* Before the first piece: the body is safetensors. Its metadata's "document" is the document
 * without tensors, and a tensor is put where its name says: "layers.0.input". Numbers of other
 * dtypes than F32, F64, F16 and BF16 are none that are read. The header's length is held to
 * max_envelope. */
GRAD_API void grad_decoder_expect_safetensors(grad_decoder *decoder);

/* Before the first piece: the document is a request of the Open Inference Protocol, version 2, in
 * which "inputs" are a list of tensors. grad_decoder_finish_request reads it, as
 * GRAD_REQUEST_INFERENCE. activation is the name of the model's, NULL where the request names it;
 * it must outlive the decoder. */
GRAD_API void grad_decoder_expect_inputs(grad_decoder *decoder, const char *activation);

/* Takes the next piece of the document, of any length; it is not kept. After an error every later
 * call returns the same error. */
GRAD_API grad_status grad_decoder_push(grad_decoder *decoder, const char *bytes, size_t length,
                                       grad_error *error);

/* Bytes of memory that the decoder holds in use now. */
GRAD_API size_t grad_decoder_memory(const grad_decoder *decoder);

/* Upper bound of what a finish function takes besides: the tree of the envelope, which a hostile
 * document makes 80 times as large as its text, and which is given back when it returns; and the
 * batch or reply, which it keeps. */
GRAD_API size_t grad_decoder_finish_bound(const grad_decoder *decoder);

/* The model of the Open Inference Protocol that computes gradients, its version, and room for its
 * name with an activation's. */
#define GRAD_INFERENCE_MODEL "dense"
#define GRAD_INFERENCE_VERSION "1"
#define GRAD_INFERENCE_NAME_SIZE 64

/* Writes the name of the model with that activation, "dense_relu"; NULL: of the one whose requests
 * name it, "dense". Thread-safe. */
GRAD_API void grad_inference_name(const char *activation, char name[GRAD_INFERENCE_NAME_SIZE]);

/* Whose body a request document is. */
typedef enum grad_request_kind {
    GRAD_REQUEST_GRADIENTS, /* POST /v1/gradients: batch->network is NULL */
    GRAD_REQUEST_BACKPROP,  /* POST /v1/backprop: it is not */
    GRAD_REQUEST_INFERENCE  /* POST /v2/models/dense/infer: a batch of one layer, is_inference */
} grad_request_kind;

/* The document is whole: reads it as that request. *batch and all it points to belong to the
 * decoder and live until it is destroyed (the tensors may be written by a run with
 * overwrite_grad_output, which is set).
 * Errors: GRAD_MALFORMED with the byte offset; GRAD_INVALID unknown_field, duplicate_field,
 * missing_field, unexpected_type, unknown_name, unsupported_value, ragged_array, shape_mismatch …
 * with pointer and byte offset; GRAD_TOO_LARGE. Whether shapes of different tensors agree is
 * grad_batch_measure's question. Under "on_error": "continue" a layer that cannot be bound, or
 * whose arrays have a fault, is marked with its error, and the others are read. */
GRAD_API grad_status grad_decoder_finish_request(grad_decoder *decoder, grad_request_kind kind,
                                                 grad_batch **batch, grad_error *error);

/* The same for POST /v1/check, whose body is that of one of the two, with deltas of the client's
 * own in the layers. The batch's overwrite_grad_output is not set. */
GRAD_API grad_status grad_decoder_finish_check(grad_decoder *decoder, grad_check_request **request,
                                               grad_error *error);

/* The document is whole: reads it as a 200 answer of either request. Ownership as above. */
GRAD_API grad_status grad_decoder_finish_reply(grad_decoder *decoder, grad_reply **reply,
                                               grad_error *error);

/* The byte of the document where the value at that RFC 6901 pointer begins, or
 * GRAD_OFFSET_UNKNOWN; for an element of a tensor, which is given by its row and column however the
 * tensor is spelled, where the tensor begins. For errors found after the reading
 * (grad_batch_measure's); works once a finish function was called. */
GRAD_API int64_t grad_decoder_locate(const grad_decoder *decoder, const char *pointer);

/* Fills in the offset of an error that was found after the reading, where it has none and its
 * pointer leads to a place of the document. Errors that are not the document's (GRAD_OUT_OF_MEMORY)
 * and GRAD_OK stay as they are. */
GRAD_API void grad_decoder_locate_error(const grad_decoder *decoder, grad_error *error);

/* Frees the decoder and all that it owns: the tensors it read, and the batch, request or reply of
 * its finish functions. To be called once every run of that batch is destroyed. NULL is fine. */
GRAD_API void grad_decoder_destroy(grad_decoder *decoder);

/* ---- Writing --------------------------------------------------------------------------------- */

/* A document being written, in segments. */
typedef struct grad_encoder grad_encoder;

/* A piece of a document, owned by its encoder: the pieces one after the other are the whole. */
typedef struct grad_segment {
    const char *text; /* not NUL-terminated */
    size_t length;
} grad_segment;

/* An encoder of the request document of that batch (of /v1/backprop where it has a network), whose
 * activations, layers and loss are of known kinds. batch and its arrays must outlive the last
 * grad_encoder_segment_run. The caller owns *encoder. Options at their defaults are not spelled.
 * Reading the document, as the batch's datatype, gives the same batch.
 * Errors: GRAD_INVALID non_finite (an option), shape_mismatch (a tensor without a rank),
 * unsupported_value (a residual connection to a layer without a name of its own), or that of a
 * layer that has one; GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_encode_request(const grad_batch *batch, grad_encoder **encoder,
                                         grad_error *error);

/* An encoder of the reply document to that batch, which gives datatype and non_finite policy.
 * request is the decoder that read the batch: errors of layers that know no byte are located in its
 * document, as grad_decoder_locate does, before the function returns; NULL: they are written
 * without one. Lifetimes as above. */
GRAD_API grad_status grad_encode_reply(const grad_batch *batch, const grad_reply *reply,
                                       const grad_decoder *request, grad_encoder **encoder,
                                       grad_error *error);

/* Upper bound of the memory that encoding a reply of that many numbers takes, for that batch. */
GRAD_API size_t grad_reply_bound(const grad_batch *batch, size_t result_numbers);

/* Segments of the document; at least 1. */
GRAD_API size_t grad_encoder_segment_count(const grad_encoder *encoder);

/* Bytes of the document, where bytes of tensors follow it (GRAD_ENCODING_BINARY): what the header
 * Inference-Header-Content-Length says. 0: all is the document. */
GRAD_API size_t grad_encoder_document_length(const grad_encoder *encoder);

/* Prints one segment, once. Thread-safe for different segments. Errors: GRAD_OUT_OF_MEMORY;
 * GRAD_INVALID non_finite where the batch rejects non-finite numbers. */
GRAD_API grad_status grad_encoder_segment_run(grad_encoder *encoder, size_t segment,
                                              grad_error *error);

/* Every segment in order. */
GRAD_API grad_status grad_encoder_run_all(grad_encoder *encoder, grad_error *error);

/* The segments, all of which have been run. Owned by the encoder; the batch and the results are no
 * longer needed. */
GRAD_API const grad_segment *grad_encoder_segments(const grad_encoder *encoder);

/* Frees the encoder and its segments; none may be running. NULL is fine. The batch and the results
 * stay the caller's. */
GRAD_API void grad_encoder_destroy(grad_encoder *encoder);

/* ---- Small documents ------------------------------------------------------------------------- */

#define GRAD_TITLE_SIZE 64
#define GRAD_REQUEST_ID_SIZE 72

/* An application/problem+json document (RFC 9457). */
typedef struct grad_problem {
    int http_status;
    char title[GRAD_TITLE_SIZE];
    grad_error error;
    char request_id[GRAD_REQUEST_ID_SIZE];
} grad_problem;

/* Adds the document to text: type, title, status, detail, code, and where they are known pointer,
 * offset, limit {name, value}, request_id. */
GRAD_API void grad_problem_write(const grad_problem *problem, grad_text *text);

/* The same for clients of the Open Inference Protocol, which read "error": the detail and, where it
 * is known, the pointer in one text. */
GRAD_API void grad_problem_write_inference(const grad_problem *problem, grad_text *text);

/* Reads such a document; unknown members are skipped. Errors: GRAD_MALFORMED, GRAD_INVALID. */
GRAD_API grad_status grad_problem_read(const char *text, size_t length, grad_problem *problem,
                                       grad_error *error);

/* Adds the document of a check's report, the answer of POST /v1/check. */
GRAD_API void grad_check_report_write(const grad_check_report *report, grad_text *text);

/* Reads such a document; unknown members are skipped. The caller frees *report (one block) with
 * free(). Errors: GRAD_MALFORMED, GRAD_INVALID, GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_check_report_read(const char *text, size_t length,
                                            grad_check_report **report, grad_error *error);

/* Calls visit with the RFC 6901 pointer and the text of every scalar in a document, in order: for
 * people's eyes ("/limits/max_layers", "1024"; strings unquoted). Errors: GRAD_MALFORMED. */
GRAD_API grad_status grad_json_walk(const char *text, size_t length,
                                    void (*visit)(void *context, const char *pointer,
                                                  const char *value),
                                    void *context, grad_error *error);

#ifdef __cplusplus
}
#endif
#endif
