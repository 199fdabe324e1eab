/* Bodies of safetensors under a fuzzer. The first byte says how the body is cut; its length is made
 * to fit the header, which ends where its JSON does, or the input is taken as it is. Whole and in
 * pieces it must be read alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/wire_oracle.h"

enum { PREFIX = 8, MAX_SIZE = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Behind the last bracket, and the blanks behind it. */
static size_t header_length(const uint8_t *data, size_t size)
{
    size_t length = size;

    while (length > 0 && data[length - 1] != '}')
        length--;
    while (length > 0 && length < size && data[length] == ' ')
        length++;
    return length;
}

static wire_outcome decode(const char *body, size_t length, size_t cut, wire_kind kind)
{
    wire_outcome o = {.error = GRAD_ERROR_INIT};

    if (grad_decoder_create(NULL, GRAD_FP32, 0, &o.decoder, NULL) != GRAD_OK)
        abort();
    grad_decoder_expect_safetensors(o.decoder);
    for (size_t done = 0; done < length && o.status == GRAD_OK; done += cut) {
        size_t piece = cut < length - done ? cut : length - done;
        char *copy = malloc(piece);

        memcpy(copy, body + done, piece);
        o.status = grad_decoder_push(o.decoder, copy, piece, &o.error);
        free(copy);
    }
    if (o.status == GRAD_OK)
        o.status = grad_decoder_finish_request(
            o.decoder, kind == WIRE_BACKPROP ? GRAD_REQUEST_BACKPROP : GRAD_REQUEST_GRADIENTS,
            &o.batch, &o.error);
    return o;
}

static void compare(const char *body, size_t length, size_t cut, wire_kind kind)
{
    wire_outcome whole = decode(body, length, length > 0 ? length : 1, kind);
    wire_outcome pieces = decode(body, length, cut, kind);
    const char *differs = wire_outcomes_differ(&whole, &pieces);

    if (differs != NULL) {
        fprintf(stderr, "%s\n", differs);
        abort();
    }
    grad_decoder_destroy(whole.decoder);
    grad_decoder_destroy(pieces.decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char body[PREFIX + MAX_SIZE];
    size_t header, cut;

    if (size == 0 || size > MAX_SIZE)
        return 0;
    cut = data[0] % 128 + 1;
    header = header_length(data + 1, size - 1);
    for (size_t i = 0; i < PREFIX; i++)
        body[i] = (char)(header >> (8 * i));
    memcpy(body + PREFIX, data + 1, size - 1);
    if (data[0] >= 128)
        compare(body + PREFIX, size - 1, cut, WIRE_GRADIENTS);
    compare(body, PREFIX + size - 1, cut, WIRE_GRADIENTS);
    compare(body, PREFIX + size - 1, cut, WIRE_BACKPROP);
    return 0;
}
