/* The tail behind a document: which tensor's bytes come next, and what becomes of them. */
#include "codec/json/byte_tail.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/error.h"
#include "core/size.h"

/* The place of the tensor whose bytes come: where its size stands, or of safetensors the whole of
 * it, for there the size is nowhere to be seen. */
static size_t visible_place(const grad_byte_tail *tail, const grad_scanner *s)
{
    return tail->has_list ? s->envelope.places[tail->tensor].parent : tail->tensor;
}

/* GRAD_MALFORMED at the tensor whose bytes come, or at the whole, behind what was received. */
static grad_status fail(const grad_byte_tail *tail, grad_scanner *s, const char *detail)
{
    char pointer[GRAD_POINTER_SIZE] = "";

    if (tail->tensor > 0)
        grad_envelope_pointer(&s->envelope, visible_place(tail, s), NULL, 0, pointer);
    grad_fail_at_byte(&s->error, GRAD_MALFORMED, "length_mismatch",
                      s->offset + (int64_t)tail->received, pointer, "%s", detail);
    return GRAD_MALFORMED;
}

static grad_status fail_limit(const grad_byte_tail *tail, grad_scanner *s)
{
    char pointer[GRAD_POINTER_SIZE];

    grad_envelope_pointer(&s->envelope, visible_place(tail, s), NULL, 0, pointer);
    grad_fail_limit(&s->error, "max_numbers", s->block.max, pointer,
                    "expected at most %zu numbers, found more", s->block.max);
    return GRAD_TOO_LARGE;
}

/* ---- Which tensor is next -------------------------------------------------------------------- */

/* Whether the value at that place is a whole number of bytes; what else stands there is the
 * reader's to refuse. */
static bool read_size(const grad_envelope *e, size_t place, size_t *size)
{
    const char *p = e->text.data + e->places[place].begin;
    size_t value = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (!grad_size_mul(value, 10, &value) || !grad_size_add(value, (size_t)(*p - '0'), &value))
            value = SIZE_MAX / 16; /* more than any body has */
    *size = value;
    return *p == ',' || *p == '}' || *p == ' ';
}

static bool names_bytes(const grad_envelope *e, size_t place)
{
    static const char *const names[] = {"binary_data_size"};

    return e->text.data[e->places[e->places[place].parent].begin] == '{' &&
           grad_envelope_member_is(e, place, names, GRAD_COUNT(names));
}

/* The object that says what the bytes are: the size's own, or, as the Open Inference Protocol has
 * it, the one whose "parameters" hold the size. */
static size_t find_object(const grad_envelope *e, size_t place)
{
    static const char *const names[] = {"parameters"};
    const size_t object = e->places[place].parent, around = e->places[object].parent;

    return object != around && e->text.data[e->places[around].begin] == '{' &&
                   grad_envelope_member_is(e, object, names, GRAD_COUNT(names))
               ? around
               : object;
}

/* The bytes of a tensor are all here: numbers are made of them. */
static grad_status finish_tensor(grad_byte_tail *tail, grad_scanner *s)
{
    grad_envelope *e = &s->envelope;
    grad_number_array array = {
        .first = tail->bytes.first, .rank = 1, .is_bytes = true, .bytes = tail->bytes.bytes};
    grad_status status;

    array.wire = grad_byte_array_datatype(e, find_object(e, tail->tensor));
    status = grad_byte_array_convert(&s->block, array.first, array.bytes, array.wire,
                                     &array.shape[0], &s->error);
    if (status == GRAD_TOO_LARGE)
        return fail_limit(tail, s);
    if (status == GRAD_OK)
        status = grad_envelope_refer(e, tail->tensor, &array, &s->error);
    tail->tensor = 0;
    return status;
}

/* Goes on to the next tensor of the document. False: there is none. */
static bool search(grad_byte_tail *tail, const grad_envelope *e)
{
    while (++tail->place < e->place_count)
        if (names_bytes(e, tail->place) && read_size(e, tail->place, &tail->size)) {
            tail->tensor = tail->place;
            return true;
        }
    return false;
}

/* The same of the list. */
static bool take_listed(grad_byte_tail *tail)
{
    if (tail->listed_count == 0)
        return false;
    tail->tensor = tail->listed->place;
    tail->size = tail->listed->end - tail->listed->begin;
    tail->listed++;
    tail->listed_count--;
    return true;
}

/* Goes on to the next tensor that has bytes; those without are finished at once. */
static grad_status find_tensor(grad_byte_tail *tail, grad_scanner *s)
{
    grad_status status = GRAD_OK;

    while (status == GRAD_OK && tail->tensor == 0 &&
           (tail->has_list ? take_listed(tail) : search(tail, &s->envelope))) {
        grad_byte_array_begin(&tail->bytes, &s->block);
        if (tail->size == 0)
            status = finish_tensor(tail, s);
    }
    return status;
}

grad_status grad_byte_tail_begin(grad_byte_tail *tail, grad_scanner *scanner)
{
    *tail = (grad_byte_tail){0};
    return find_tensor(tail, scanner);
}

grad_status grad_byte_tail_begin_listed(grad_byte_tail *tail, grad_scanner *scanner,
                                        const grad_safetensors_tensor *tensors, size_t count)
{
    *tail = (grad_byte_tail){.listed = tensors, .listed_count = count, .has_list = true};
    return find_tensor(tail, scanner);
}

/* ---- Its bytes ------------------------------------------------------------------------------- */

grad_status grad_byte_tail_push(grad_byte_tail *tail, grad_scanner *s, const char *bytes,
                                size_t length)
{
    grad_status status = GRAD_OK;

    while (length > 0 && status == GRAD_OK) {
        size_t taken = grad_size_min(length, tail->size - tail->bytes.bytes);

        if (tail->tensor == 0)
            return fail(tail, s,
                        "expected the end of the body behind the bytes of the last tensor, found "
                        "more");
        status = grad_byte_array_add(&tail->bytes, &s->block, bytes, taken, &s->error);
        if (status == GRAD_TOO_LARGE)
            return fail_limit(tail, s);
        tail->received += taken;
        bytes += taken;
        length -= taken;
        if (status == GRAD_OK && tail->bytes.bytes == tail->size)
            status = finish_tensor(tail, s);
        if (status == GRAD_OK)
            status = find_tensor(tail, s);
    }
    return status;
}

grad_status grad_byte_tail_end(const grad_byte_tail *tail, grad_scanner *s)
{
    char detail[GRAD_DETAIL_SIZE];

    if (tail->tensor == 0)
        return GRAD_OK;
    snprintf(detail, sizeof detail,
             "expected %zu bytes of this tensor behind the %s, found a body that ends after "
             "%zu of them",
             tail->size, tail->has_list ? "header" : "document", tail->bytes.bytes);
    return fail(tail, s, detail);
}
