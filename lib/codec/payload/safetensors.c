/* Reading the header of a safetensors body: its JSON, which is an object of objects with three
 * fields each, and what these say of the bytes behind it. */
#include "codec/payload/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/payload/binary.h"
#include "core/error.h"
#include "core/size.h"
#include "gradient_wire.h"

enum { FIRST_TENSORS = 16, SHOWN = 60 /* bytes of a name in an error */ };

/* ---- Datatypes ------------------------------------------------------------------------------- */

static const char *const dtypes[GRAD_WIRE_DATATYPE_COUNT] = {
    [GRAD_WIRE_COMPUTED] = "", [GRAD_WIRE_FP32] = "F32",  [GRAD_WIRE_FP64] = "F64",
    [GRAD_WIRE_FP16] = "F16",  [GRAD_WIRE_BF16] = "BF16",
};

const char *grad_safetensors_dtype(grad_wire_datatype wire)
{
    return dtypes[wire];
}

/* ---- Errors ---------------------------------------------------------------------------------- */

typedef struct reader {
    grad_safetensors_header *header;
    const char *p, *end;
    grad_error *error;
} reader;

int64_t grad_safetensors_offset(const grad_safetensors_header *header, const char *part)
{
    return GRAD_SAFETENSORS_PREFIX + (part - header->text);
}

void grad_safetensors_pointer(const grad_safetensors_tensor *tensor, char *pointer)
{
    const char *name = tensor->name, *end = name + tensor->name_length;
    grad_text text;

    grad_text_init_in(&text, pointer, GRAD_POINTER_SIZE);
    while (name <= end) {
        const char *point = memchr(name, '.', (size_t)(end - name));
        const char *last = point != NULL ? point : end;
        grad_text_token(&text, name, (size_t)(last - name));
        name = last + 1;
    }
    if (grad_text_status(&text, NULL) != GRAD_OK)
        pointer[0] = '\0';
}

/* The name, as far as an error shows it. */
static int shown(const grad_safetensors_tensor *tensor)
{
    return (int)grad_size_min(tensor->name_length, SHOWN);
}

/* The JSON is not what the format has. */
static grad_status fail_syntax(reader *r, const char *expected)
{
    const grad_safetensors_header *h = r->header;
    unsigned char c = r->p < r->end ? (unsigned char)*r->p : 0;
    int64_t offset = grad_safetensors_offset(h, r->p);

    if (r->p == r->end)
        return grad_fail_at_byte(r->error, GRAD_MALFORMED, "malformed_safetensors", offset, "",
                                 "expected %s in the header, found its end after %zu bytes",
                                 expected, h->length);
    return grad_fail_at_byte(r->error, GRAD_MALFORMED, "malformed_safetensors", offset, "",
                             c > 0x20 && c < 0x7F ? "expected %s in the header, found %c"
                                                  : "expected %s in the header, found byte 0x%02X",
                             expected, c);
}

static grad_status fail_tensor(const reader *r, const grad_safetensors_tensor *tensor,
                               grad_status status, const char *code, const char *detail)
{
    char pointer[GRAD_POINTER_SIZE];

    grad_safetensors_pointer(tensor, pointer);
    return grad_fail_at_byte(r->error, status, code,
                             grad_safetensors_offset(r->header, tensor->name), pointer, "%s",
                             detail);
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static char peek(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
    return r->p < r->end ? *r->p : '\0';
}

static bool take(reader *r, char c)
{
    if (peek(r) != c || r->p == r->end)
        return false;
    r->p++;
    return true;
}

static grad_status expect(reader *r, char c, const char *expected)
{
    return take(r, c) ? GRAD_OK : fail_syntax(r, expected);
}

/* Behind an element: takes a comma, or the bracket that closes; *goes_on tells which. */
static grad_status expect_next(reader *r, char bracket, const char *expected, bool *goes_on)
{
    *goes_on = take(r, ',');
    return *goes_on ? GRAD_OK : expect(r, bracket, expected);
}

/* The code unit of the escape \uXXXX at p. False: there is none. */
static bool read_unit(const char *p, const char *end, unsigned *unit)
{
    char digits[5] = "";

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return false;
    memcpy(digits, p + 2, 4);
    *unit = (unsigned)strtoul(digits, NULL, 16);
    return strspn(digits, "0123456789abcdefABCDEF") == 4;
}

size_t grad_safetensors_escape(const char *p, const char *end, unsigned *code)
{
    static const char pairs[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    unsigned low;

    for (const char *pair = pairs; *pair != '\0' && end - p > 1; pair += 2)
        if (*pair == p[1]) {
            *code = (unsigned char)pair[1];
            return 2;
        }
    if (!read_unit(p, end, code) || (*code >= 0xDC00 && *code <= 0xDFFF))
        return 0;
    if (*code < 0xD800 || *code > 0xDFFF)
        return 6;
    if (!read_unit(p + 6, end, &low) || low < 0xDC00 || low > 0xDFFF)
        return 0;
    *code = 0x10000 + ((*code & 0x3FF) << 10) + (low & 0x3FF);
    return 12;
}

/* A string: *text is its inside, with its escapes. */
static grad_status read_string(reader *r, const char *expected, const char **text, size_t *length)
{
    grad_status status = expect(r, '"', expected);

    if (status != GRAD_OK)
        return status;
    *text = r->p;
    while (r->p < r->end && *r->p != '"') {
        unsigned code;
        size_t taken = *r->p == '\\' ? grad_safetensors_escape(r->p, r->end, &code) : 1;

        if (taken == 0 || (unsigned char)*r->p < 0x20)
            return fail_syntax(r, "a character of a string, or an escape of JSON,");
        r->p += taken;
    }
    *length = (size_t)(r->p - *text);
    return expect(r, '"', "the end of a string");
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* A whole number of digits alone; one that is beyond counting is SIZE_MAX. */
static grad_status read_size(reader *r, size_t *size)
{
    char first = peek(r);
    size_t value = 0;

    if (first < '0' || first > '9')
        return fail_syntax(r, "a whole number");
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
        if (first == '0' && value == 0 && r->p[-1] == '0')
            return fail_syntax(r, "a number without leading zeros");
        if (!grad_size_mul(value, 10, &value) ||
            !grad_size_add(value, (size_t)(*r->p - '0'), &value))
            value = SIZE_MAX;
    }
    *size = value;
    return GRAD_OK;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

/* What was read of one: its fields, as bits. */
enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

typedef struct entry {
    grad_safetensors_tensor tensor;
    unsigned has;
    size_t numbers; /* of the shape */
    bool overflows; /* they are beyond counting */
} entry;

static grad_status read_dtype(reader *r, entry *e)
{
    char detail[GRAD_DETAIL_SIZE];
    const char *text = NULL;
    size_t length = 0;
    grad_status status = read_string(r, "a dtype as a string", &text, &length);

    if (status != GRAD_OK)
        return status;
    for (size_t i = GRAD_WIRE_COMPUTED + 1; i < GRAD_WIRE_DATATYPE_COUNT; i++)
        if (is_word(text, length, dtypes[i])) {
            e->tensor.wire = (grad_wire_datatype)i;
            return GRAD_OK;
        }
    snprintf(detail, sizeof detail,
             "expected %.*s to be of dtype F32, F64, F16 or BF16, found %.*s", shown(&e->tensor),
             e->tensor.name, (int)grad_size_min(length, SHOWN), text);
    return fail_tensor(r, &e->tensor, GRAD_INVALID, "unsupported_value", detail);
}

/* The sizes are read again by whoever reads the document: what they make is asked here. */
static grad_status read_shape(reader *r, entry *e)
{
    grad_status status = expect(r, '[', "a shape as an array");
    bool goes_on = true;

    e->tensor.shape = r->p - 1;
    e->numbers = 1;
    if (status == GRAD_OK && take(r, ']'))
        goes_on = false;
    while (status == GRAD_OK && goes_on) {
        size_t size = 0;

        status = read_size(r, &size);
        if (!grad_size_mul(e->numbers, size, &e->numbers))
            e->overflows = true;
        if (status == GRAD_OK)
            status = expect_next(r, ']', "a comma or the end of a shape", &goes_on);
    }
    e->tensor.shape_length = (size_t)(r->p - e->tensor.shape);
    return status;
}

static grad_status read_offsets(reader *r, entry *e)
{
    grad_status status = expect(r, '[', "data_offsets as an array of two");

    if (status == GRAD_OK)
        status = read_size(r, &e->tensor.begin);
    if (status == GRAD_OK)
        status = expect(r, ',', "a comma between two data_offsets");
    if (status == GRAD_OK)
        status = read_size(r, &e->tensor.end);
    return status == GRAD_OK ? expect(r, ']', "the end of two data_offsets") : status;
}

static grad_status fail_field(reader *r, const entry *e, grad_status status, const char *code,
                              const char *expected, const char *name, size_t length)
{
    char detail[GRAD_DETAIL_SIZE];

    snprintf(detail, sizeof detail, "expected %s of %.*s, found %.*s", expected, shown(&e->tensor),
             e->tensor.name, (int)grad_size_min(length, SHOWN), name);
    return fail_tensor(r, &e->tensor, status, code, detail);
}

static grad_status read_field(reader *r, entry *e)
{
    static const struct {
        const char *name;
        unsigned bit;
        grad_status (*read)(reader *r, entry *e);
    } fields[] = {{"dtype", HAS_DTYPE, read_dtype},
                  {"shape", HAS_SHAPE, read_shape},
                  {"data_offsets", HAS_OFFSETS, read_offsets}};
    const char *name = NULL;
    size_t length = 0;
    grad_status status = read_string(r, "a field of a tensor", &name, &length);

    if (status == GRAD_OK)
        status = expect(r, ':', "a colon");
    for (size_t i = 0; i < GRAD_COUNT(fields) && status == GRAD_OK; i++) {
        if (!is_word(name, length, fields[i].name))
            continue;
        if ((e->has & fields[i].bit) != 0)
            return fail_field(r, e, GRAD_INVALID, "duplicate_field", "each field once", name,
                              length);
        e->has |= fields[i].bit;
        return fields[i].read(r, e);
    }
    return status != GRAD_OK ? status
                             : fail_field(r, e, GRAD_INVALID, "unknown_field",
                                          "dtype, shape and data_offsets", name, length);
}

/* Whether the bytes are as many as dtype and shape say. */
static grad_status check_length(reader *r, const entry *e)
{
    const grad_safetensors_tensor *t = &e->tensor;
    size_t needed = e->numbers;
    char detail[GRAD_DETAIL_SIZE], needs[32] = "more";

    if (e->has != HAS_ALL) {
        snprintf(detail, sizeof detail,
                 "expected dtype, shape and data_offsets of %.*s, found no %s", shown(t), t->name,
                 !(e->has & HAS_DTYPE)   ? "dtype"
                 : !(e->has & HAS_SHAPE) ? "shape"
                                         : "data_offsets");
        return fail_tensor(r, t, GRAD_MALFORMED, "malformed_safetensors", detail);
    }
    if (!e->overflows && grad_size_mul(needed, grad_wire_datatype_size(t->wire), &needed)) {
        if (t->begin <= t->end && t->end - t->begin == needed)
            return GRAD_OK;
        snprintf(needs, sizeof needs, "%zu", needed);
    }
    snprintf(detail, sizeof detail,
             "expected %s bytes of %.*s, as dtype %s and shape %.*s need, found data_offsets "
             "[%zu, %zu]",
             needs, shown(t), t->name, dtypes[t->wire], (int)grad_size_min(t->shape_length, SHOWN),
             t->shape, t->begin, t->end);
    return fail_tensor(r, t, GRAD_MALFORMED, "length_mismatch", detail);
}

static grad_status keep(grad_safetensors_header *h, const grad_safetensors_tensor *tensor,
                        grad_error *error)
{
    if (h->count == h->capacity) {
        size_t capacity = h->capacity > 0 ? 2 * h->capacity : FIRST_TENSORS;
        grad_safetensors_tensor *tensors = realloc(h->tensors, capacity * sizeof *tensors);

        if (tensors == NULL)
            return grad_fail_memory(error, capacity * sizeof *tensors);
        h->tensors = tensors;
        h->capacity = capacity;
    }
    h->tensors[h->count++] = *tensor;
    return GRAD_OK;
}

/* Our names have no escapes, and no quotation marks. */
static size_t parent_of(const char *name, size_t length)
{
    while (length > 0 && name[length - 1] != '.')
        length--;
    return length > 0 ? length - 1 : 0;
}

static grad_status read_tensor(reader *r, const char *name, size_t length)
{
    entry e = {
        .tensor = {.name = name, .name_length = length, .parent_length = parent_of(name, length)}};
    grad_status status = expect(r, '{', "a tensor as an object");
    bool goes_on = status == GRAD_OK && !take(r, '}');

    while (status == GRAD_OK && goes_on) {
        status = read_field(r, &e);
        if (status == GRAD_OK)
            status = expect_next(r, '}', "a comma or the end of a tensor", &goes_on);
    }
    if (status == GRAD_OK)
        status = check_length(r, &e);
    return status == GRAD_OK ? keep(r->header, &e.tensor, r->error) : status;
}

/* ---- Metadata -------------------------------------------------------------------------------- */

static grad_status fail_metadata(reader *r, const char *code, const char *expected,
                                 const char *name, size_t length)
{
    return grad_fail_at_byte(r->error, GRAD_INVALID, code, grad_safetensors_offset(r->header, name),
                             "", "expected %s, found %.*s", expected,
                             (int)grad_size_min(length, SHOWN), name);
}

/* "format" is what Hugging Face's libraries note for each other. A word that would be lost here
 * might be an option. */
static grad_status read_note(reader *r)
{
    const char *name = NULL, *text = NULL;
    size_t length = 0, text_length = 0;
    grad_status status = read_string(r, "a name in __metadata__", &name, &length);

    if (status == GRAD_OK)
        status = expect(r, ':', "a colon");
    if (status == GRAD_OK)
        status = read_string(r, "a string, as all metadata is,", &text, &text_length);
    if (status != GRAD_OK || is_word(name, length, "format"))
        return status;
    if (!is_word(name, length, GRAD_SAFETENSORS_DOCUMENT))
        return fail_metadata(r, "unknown_field",
                             "no metadata but \"document\", whose JSON has all options, and "
                             "\"format\"",
                             name, length);
    if (r->header->document != NULL)
        return fail_metadata(r, "duplicate_field", "the metadata's document once", name, length);
    r->header->document = text;
    r->header->document_length = text_length;
    return GRAD_OK;
}

static grad_status read_metadata(reader *r, const char *name, size_t length)
{
    grad_status status;
    bool goes_on;

    if (r->header->has_metadata)
        return fail_metadata(r, "duplicate_field", "__metadata__ once", name, length);
    r->header->has_metadata = true;
    if (peek(r) == 'n' && r->end - r->p >= 4 && memcmp(r->p, "null", 4) == 0) {
        r->p += 4;
        return GRAD_OK;
    }
    status = expect(r, '{', "__metadata__ as an object");
    goes_on = status == GRAD_OK && !take(r, '}');
    while (status == GRAD_OK && goes_on) {
        status = read_note(r);
        if (status == GRAD_OK)
            status = expect_next(r, '}', "a comma or the end of __metadata__", &goes_on);
    }
    return status;
}

/* ---- The whole header ------------------------------------------------------------------------ */

static grad_status read_member(reader *r)
{
    const char *name = NULL;
    size_t length = 0;
    grad_status status = read_string(r, "a tensor's name", &name, &length);

    if (status == GRAD_OK)
        status = expect(r, ':', "a colon");
    if (status != GRAD_OK)
        return status;
    return is_word(name, length, GRAD_SAFETENSORS_METADATA) ? read_metadata(r, name, length)
                                                            : read_tensor(r, name, length);
}

static grad_status read_members(reader *r)
{
    grad_status status = expect(r, '{', "an object");
    bool goes_on = status == GRAD_OK && !take(r, '}');

    while (status == GRAD_OK && goes_on) {
        status = read_member(r);
        if (status == GRAD_OK)
            status = expect_next(r, '}', "a comma or the end of the object", &goes_on);
    }
    if (status == GRAD_OK && (peek(r) != '\0' || r->p < r->end))
        return fail_syntax(r, "nothing but blanks behind the object");
    return status;
}

/* Those of one parent stand together. */
static int compare_names(const void *a, const void *b)
{
    const grad_safetensors_tensor *left = a, *right = b;
    size_t shorter = grad_size_min(left->parent_length, right->parent_length);
    int order = memcmp(left->name, right->name, shorter);

    if (order == 0 && left->parent_length != right->parent_length)
        return left->parent_length < right->parent_length ? -1 : 1;
    if (order == 0)
        order =
            memcmp(left->name, right->name, grad_size_min(left->name_length, right->name_length));
    if (order == 0 && left->name_length != right->name_length)
        return left->name_length < right->name_length ? -1 : 1;
    return order;
}

static int compare_offsets(const void *a, const void *b)
{
    const grad_safetensors_tensor *left = a, *right = b;

    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

static void sort(grad_safetensors_header *h, int (*compare)(const void *a, const void *b))
{
    if (h->count > 0)
        qsort(h->tensors, h->count, sizeof *h->tensors, compare);
}

void grad_safetensors_sort_by_offset(grad_safetensors_header *header)
{
    sort(header, compare_offsets);
}

static grad_status check_offsets(const reader *r)
{
    const grad_safetensors_header *h = r->header;
    size_t end = 0;

    for (size_t i = 0; i < h->count; i++) {
        const grad_safetensors_tensor *t = &h->tensors[i];
        char detail[GRAD_DETAIL_SIZE];

        if (t->begin != end) {
            snprintf(detail, sizeof detail,
                     "expected the bytes of %.*s to begin at %zu, where those before them end, "
                     "found %s: data_offsets [%zu, %zu]",
                     shown(t), t->name, end, t->begin < end ? "an overlap" : "a gap", t->begin,
                     t->end);
            return fail_tensor(r, t, GRAD_MALFORMED, "length_mismatch", detail);
        }
        end = t->end;
    }
    return GRAD_OK;
}

static grad_status check_names(const reader *r)
{
    const grad_safetensors_header *h = r->header;

    for (size_t i = 1; i < h->count; i++) {
        const grad_safetensors_tensor *last = &h->tensors[i - 1], *t = &h->tensors[i];

        if (compare_names(last, t) == 0)
            return fail_tensor(r, last->name > t->name ? last : t, GRAD_INVALID, "duplicate_field",
                               "expected each tensor once, found this one again");
    }
    return GRAD_OK;
}

grad_status grad_safetensors_read(grad_safetensors_header *header, grad_error *error)
{
    reader r = {header, header->text, header->text + header->length, error};
    grad_status status = read_members(&r);

    if (status == GRAD_OK) {
        sort(header, compare_names);
        status = check_names(&r);
    }
    if (status == GRAD_OK) {
        grad_safetensors_sort_by_offset(header);
        status = check_offsets(&r);
    }
    if (status == GRAD_OK)
        sort(header, compare_names);
    return status;
}

/* ---- Receiving it ---------------------------------------------------------------------------- */

/* The first 8 bytes are there. */
static grad_status begin_text(grad_safetensors_header *h, grad_error *error)
{
    uint64_t length = 0;

    for (size_t i = GRAD_SAFETENSORS_PREFIX; i-- > 0;)
        length = length << 8 | h->prefix[i];
    if (length == 0)
        return grad_fail_at_byte(error, GRAD_MALFORMED, "malformed_safetensors", 0, "",
                                 "expected the header's length in the first 8 bytes, found 0");
    if (length > h->max && h->prefix[0] == '{' && h->prefix[GRAD_SAFETENSORS_PREFIX - 1] != 0)
        return grad_fail_at_byte(error, GRAD_MALFORMED, "malformed_safetensors", 0, "",
                                 "expected the header's length in the first 8 bytes, found what "
                                 "looks like JSON: send that as application/json");
    if (length > h->max) {
        grad_fail_limit(error, "max_envelope", h->max, "",
                        "expected a header of at most %zu bytes, found a length of %llu in the "
                        "first 8",
                        h->max, (unsigned long long)length);
        if (error != NULL)
            error->offset = 0;
        return GRAD_TOO_LARGE;
    }
    h->text = malloc((size_t)length);
    if (h->text == NULL)
        return grad_fail_memory(error, (size_t)length);
    h->length = (size_t)length;
    return GRAD_OK;
}

static void take_bytes(grad_safetensors_header *h, void *target, size_t wanted, const char **bytes,
                       const char *end)
{
    size_t taken = grad_size_min(wanted, (size_t)(end - *bytes));

    memcpy(target, *bytes, taken);
    *bytes += taken;
    h->received += taken;
}

bool grad_safetensors_is_whole(const grad_safetensors_header *header)
{
    return header->length > 0 && header->received == GRAD_SAFETENSORS_PREFIX + header->length;
}

grad_status grad_safetensors_push(grad_safetensors_header *h, const char **bytes, const char *end,
                                  grad_error *error)
{
    grad_status status = GRAD_OK;

    if (h->received < GRAD_SAFETENSORS_PREFIX) {
        take_bytes(h, h->prefix + h->received, GRAD_SAFETENSORS_PREFIX - h->received, bytes, end);
        if (h->received == GRAD_SAFETENSORS_PREFIX)
            status = begin_text(h, error);
    }
    if (status == GRAD_OK && h->length > 0) {
        size_t had = h->received - GRAD_SAFETENSORS_PREFIX;

        take_bytes(h, h->text + had, h->length - had, bytes, end);
    }
    return status;
}

grad_status grad_safetensors_fail_short(const grad_safetensors_header *header, grad_error *error)
{
    if (header->length == 0)
        return grad_fail_at_byte(
            error, GRAD_MALFORMED, "length_mismatch", (int64_t)header->received, "",
            "expected 8 bytes with the header's length, found a body of %zu", header->received);
    return grad_fail_at_byte(
        error, GRAD_MALFORMED, "length_mismatch", (int64_t)header->received, "",
        "expected a header of %zu bytes, as the first 8 say, found a body that "
        "ends after %zu of them",
        header->length, header->received - GRAD_SAFETENSORS_PREFIX);
}

void grad_safetensors_write_length(size_t length, char prefix[GRAD_SAFETENSORS_PREFIX])
{
    for (size_t i = 0; i < GRAD_SAFETENSORS_PREFIX; i++)
        prefix[i] = (char)(unsigned char)((uint64_t)length >> (8 * i));
}

size_t grad_safetensors_memory(const grad_safetensors_header *header)
{
    return (header->text != NULL ? header->length : 0) + header->capacity * sizeof *header->tensors;
}

void grad_safetensors_free_text(grad_safetensors_header *header)
{
    free(header->text);
    header->text = NULL;
    header->document = NULL;
}

void grad_safetensors_free(grad_safetensors_header *header)
{
    grad_safetensors_free_text(header);
    free(header->tensors);
    header->tensors = NULL;
    header->count = header->capacity = 0;
}
