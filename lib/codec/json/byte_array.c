/* Base64 in a JSON string: long stretches of letters at once, and whatever is beside them (a group
 * that a piece cuts, escapes, padding, errors) character by character. */
#include "codec/json/byte_array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/explain.h"
#include "codec/payload/base64.h"
#include "codec/payload/binary.h"
#include "core/real.h"
#include "core/size.h"

void grad_byte_array_begin(grad_byte_array *array, const grad_number_block *block)
{
    *array = (grad_byte_array){.first = block->count};
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static grad_status fail(grad_array_error *wrong, const char *code, const char *detail)
{
    wrong->code = code;
    snprintf(wrong->detail, sizeof wrong->detail, "%s", detail);
    return GRAD_MALFORMED;
}

static grad_status fail_character(grad_array_error *wrong, char c)
{
    if (c == '\n' || c == '\r')
        return fail(wrong, "malformed_base64",
                    "expected base64 in one line, found a line break (Python: b64encode, not "
                    "encodebytes; the command: base64 -w0)");
    if (c == '-' || c == '_')
        return fail(wrong, "malformed_base64",
                    c == '-' ? "expected base64's standard alphabet, with + and /, found - of the "
                               "URL-safe alphabet"
                             : "expected base64's standard alphabet, with + and /, found _ of the "
                               "URL-safe alphabet");
    wrong->code = "malformed_base64";
    snprintf(wrong->detail, sizeof wrong->detail, "expected a character of base64, found %s",
             GRAD_FOUND_BYTE(c));
    return GRAD_MALFORMED;
}

/* ---- Characters ------------------------------------------------------------------------------ */

/* Room for so many bytes more, and for what a decoder writes behind them. */
static grad_status reserve(const grad_byte_array *array, grad_number_block *block, size_t bytes,
                           grad_error *error)
{
    size_t size = grad_datatype_size(block->datatype);
    size_t needed = array->bytes + bytes;
    size_t last = array->first + grad_size_ceil_div(needed, size);

    return grad_number_block_reserve_count(block, last, error);
}

/* So many bytes were added; what the block holds is asked for while they come. */
static void add_bytes(grad_byte_array *array, grad_number_block *block, size_t bytes)
{
    array->bytes += bytes;
    block->count =
        array->first + grad_size_ceil_div(array->bytes, grad_datatype_size(block->datatype));
}

static unsigned char *free_bytes(const grad_byte_array *array, const grad_number_block *block)
{
    return (unsigned char *)grad_real_offset(block->datatype, block->numbers, array->first) +
           array->bytes;
}

static bool is_padded(const grad_byte_array *array)
{
    return array->waiting > 0 && array->group[array->waiting - 1] == '=';
}

static grad_status fail_loose_bits(grad_array_error *wrong, size_t padding)
{
    wrong->offset -= (int64_t)padding;
    return fail(wrong, "malformed_base64",
                "expected a last character whose unused bits are 0, found others");
}

/* The group of four is complete. */
static grad_status finish_group(grad_byte_array *array, grad_number_block *block,
                                grad_array_error *wrong, grad_error *error)
{
    unsigned char bytes[3 + GRAD_BASE64_SLACK];
    char group[4];
    size_t padding = array->group[3] != '=' ? 0 : array->group[2] != '=' ? 1 : 2;
    grad_status status = reserve(array, block, 3 - padding, error);

    if (status != GRAD_OK)
        return status;
    memcpy(group, array->group, sizeof group);
    memset(group + 4 - padding, 'A', padding);
    grad_base64_decode(group, 4, bytes);
    if (padding > 0 && bytes[3 - padding] != 0)
        return fail_loose_bits(wrong, padding);
    memcpy(free_bytes(array, block), bytes, 3 - padding);
    add_bytes(array, block, 3 - padding);
    if (padding == 0)
        array->waiting = 0;
    return GRAD_OK;
}

/* One character, its escape undone. Behind padding nothing may come but the group's end. */
static grad_status add_character(grad_byte_array *array, grad_number_block *block, char c,
                                 grad_array_error *wrong, grad_error *error)
{
    if (c != '=' && grad_base64_value(c) < 0)
        return fail_character(wrong, c);
    if (is_padded(array) && (c != '=' || array->waiting == 4))
        return fail(wrong, "malformed_base64",
                    "expected nothing behind the padding of base64, found more");
    if (c == '=' && array->waiting < 2)
        return fail(wrong, "malformed_base64",
                    "expected a character of base64, found padding, which may only complete the "
                    "last group of four");
    array->group[array->waiting++] = c;
    return array->waiting == 4 ? finish_group(array, block, wrong, error) : GRAD_OK;
}

/* ---- Escapes --------------------------------------------------------------------------------- */

/* The character that the escape stands for; one above 127 is none that base64 has. */
static bool read_escape(const grad_byte_array *array, char *c)
{
    static const char pairs[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    char digits[5] = "";
    unsigned long code;

    for (const char *pair = pairs; *pair != '\0'; pair += 2)
        if (*pair == array->escape[1]) {
            *c = pair[1];
            return true;
        }
    if (array->escape[1] != 'u')
        return false;
    memcpy(digits, array->escape + 2, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return false;
    code = strtoul(digits, NULL, 16);
    *c = (char)(code < 0x80 ? code : 0x80);
    return true;
}

/* Adds a byte to the escape. */
static grad_status add_to_escape(grad_byte_array *array, grad_number_block *block, char byte,
                                 grad_array_error *wrong, grad_error *error)
{
    size_t length = array->escaped + 1;
    char c;

    array->escape[array->escaped++] = byte;
    if (array->escaped == 1 || (array->escape[1] == 'u' && array->escaped < 6))
        return GRAD_OK;
    array->escaped = 0;
    wrong->offset = 1 - (int64_t)length; /* of an error: at the backslash */
    if (!read_escape(array, &c))
        return fail(wrong, "malformed_json", "expected an escape of JSON, found another");
    return add_character(array, block, c, wrong, error);
}

/* ---- The string ------------------------------------------------------------------------------ */

static grad_status finish(grad_byte_array *array, grad_array_error *wrong)
{
    if (array->waiting % 4 != 0)
        return fail(wrong, "malformed_base64",
                    "expected groups of four characters, the last padded with =, found a string "
                    "that ends within one");
    array->is_complete = true;
    return GRAD_OK;
}

/* One byte of the string. */
static grad_status read_byte(grad_byte_array *array, grad_number_block *block, char byte,
                             grad_array_error *wrong, grad_error *error)
{
    wrong->offset = 0;
    if (array->escaped > 0 || byte == '\\')
        return add_to_escape(array, block, byte, wrong, error);
    if (byte == '"')
        return finish(array, wrong);
    if ((unsigned char)byte < 0x20 && byte != '\n' && byte != '\r')
        return fail(wrong, "malformed_json",
                    "expected no control character in a string, found one");
    return add_character(array, block, byte, wrong, error);
}

/* Groups for which there is room, and which are left for later: a decoder writes over them. */
enum { SPARE_GROUPS = GRAD_BASE64_SLACK / 3 + 1 };

/* Letters from p on that go to the block at once; stop is in front of the next quote, or is the
 * piece's end. */
static grad_status read_letters(grad_byte_array *array, grad_number_block *block, const char **p,
                                const char *stop, grad_error *error)
{
    size_t room = (block->max - array->first) * grad_datatype_size(block->datatype) - array->bytes;
    size_t groups = grad_size_min((size_t)(stop - *p) / 4, room / 3);
    grad_status status = reserve(array, block, 3 * groups, error);
    size_t done;

    if (status != GRAD_OK || groups < SPARE_GROUPS)
        return status;
    done = grad_base64_decode(*p, 4 * (groups - SPARE_GROUPS), free_bytes(array, block));
    add_bytes(array, block, done / 4 * 3);
    *p += done;
    return GRAD_OK;
}

grad_status grad_byte_array_read_base64(grad_byte_array *array, grad_number_block *block,
                                        const char **p, const char *end, grad_array_error *wrong,
                                        grad_error *error)
{
    const char *quote = memchr(*p, '"', (size_t)(end - *p));
    const char *stop = quote != NULL ? quote : end;
    grad_status status = GRAD_OK;

    while (*p < end && !array->is_complete && status == GRAD_OK) {
        if (array->waiting == 0 && array->escaped == 0 && stop - *p > 32)
            status = read_letters(array, block, p, stop, error);
        /* To the end of a group, also of one that a piece began: behind it letters are fast. */
        for (bool is_within = true; is_within && *p < end && status == GRAD_OK;
             is_within = array->waiting > 0 && !array->is_complete) {
            status = read_byte(array, block, **p, wrong, error);
            *p += status == GRAD_OK;
        }
    }
    return status;
}

grad_status grad_byte_array_add(grad_byte_array *array, grad_number_block *block, const char *bytes,
                                size_t length, grad_error *error)
{
    grad_status status = reserve(array, block, length, error);

    if (status != GRAD_OK)
        return status;
    memcpy(free_bytes(array, block), bytes, length);
    add_bytes(array, block, length);
    return GRAD_OK;
}

/* The datatype that the member at that place names, if that is what it is. */
static grad_wire_datatype datatype_at(const grad_envelope *envelope, size_t place)
{
    static const char *const names[] = {"datatype"};
    const grad_text *text = &envelope->text;
    const char *end = text->data + text->length;
    const char *value = text->data + envelope->places[place].begin;
    const char *quote;

    if (value + 1 >= end || *value != '"' ||
        !grad_envelope_member_is(envelope, place, names, GRAD_COUNT(names)))
        return GRAD_WIRE_COMPUTED;
    quote = memchr(value + 1, '"', (size_t)(end - value - 1));
    return quote != NULL ? grad_wire_datatype_find(value + 1, (size_t)(quote - value - 1))
                         : GRAD_WIRE_COMPUTED;
}

grad_wire_datatype grad_byte_array_datatype(const grad_envelope *envelope, size_t object)
{
    grad_wire_datatype found = GRAD_WIRE_COMPUTED;

    for (size_t i = object + 1; i < envelope->place_count && found == GRAD_WIRE_COMPUTED;
         i = envelope->places[i].next)
        found = datatype_at(envelope, i);
    return found;
}

grad_status grad_byte_array_convert(grad_number_block *block, size_t first, size_t bytes,
                                    grad_wire_datatype wire, size_t *numbers, grad_error *error)
{
    size_t size = grad_wire_datatype_size(wire);
    grad_status status;

    *numbers = bytes / grad_datatype_size(block->datatype);
    if (!grad_binary_is_exact(wire, block->datatype) || bytes % size != 0)
        return GRAD_OK;
    status = grad_number_block_reserve_count(block, first + bytes / size, error);
    if (status != GRAD_OK)
        return status;
    *numbers = bytes / size;
    block->count = first + *numbers;
    grad_binary_read(wire, block->datatype,
                     grad_real_offset(block->datatype, block->numbers, first), *numbers);
    return GRAD_OK;
}
