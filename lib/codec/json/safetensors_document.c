/* The document of a safetensors body. Its JSON is a string of the header: escapes are undone while
 * it is walked, and at the bracket that closes an object come the tensors that belong into it. */
#include "codec/json/safetensors_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/utf8.h"
#include "codec/payload/binary.h"
#include "core/error.h"
#include "core/size.h"

/* A path as names of tensors spell it; a longer one is none that a tensor has. */
enum { PATH_SIZE = 256 };

typedef struct level {
    size_t base;  /* length of the path to it */
    size_t index; /* of the element, in an array */
    bool is_array;
    bool has_members;
} level;

typedef struct walk {
    grad_safetensors_header *header;
    grad_scanner *scanner;
    char path[PATH_SIZE];
    size_t path_length; /* may be more than there is room for */
    level levels[GRAD_DEPTH_MAX + 1];
    size_t depth;
    bool is_lost; /* too deep: the scanner says so */
    bool in_string, in_escape;
    bool is_name;      /* the string is a member's name */
    bool expects_name; /* the next string is one */
} walk;

/* ---- The scanner ----------------------------------------------------------------------------- */

/* Bytes that were in the body at offset, or stand for what was there. */
static bool push(const walk *w, const char *bytes, size_t length, int64_t offset)
{
    if (length == 0)
        return w->scanner->error.status == GRAD_OK;
    w->scanner->offset = offset;
    return grad_scanner_push(w->scanner, bytes, length) == GRAD_OK;
}

static bool push_text(const walk *w, const char *text, int64_t offset)
{
    return push(w, text, strlen(text), offset);
}

/* ---- Tensors --------------------------------------------------------------------------------- */

/* The tensor as a member of the object that is open. */
static bool push_tensor(const walk *w, grad_safetensors_tensor *t, bool is_first)
{
    const char *leaf = t->name + t->parent_length + (t->parent_length > 0);
    size_t length = t->name_length - (size_t)(leaf - t->name);
    int64_t name = grad_safetensors_offset(w->header, leaf);
    int64_t shape = grad_safetensors_offset(w->header, t->shape);
    char text[96];

    snprintf(text, sizeof text,
             ",\"datatype\":\"%s\",\"binary_data_size\":", grad_wire_datatype_name(t->wire));
    if (!push_text(w, is_first ? "\"" : ",\"", name) || !push(w, leaf, length, name) ||
        !push_text(w, "\":{\"shape\":", name) || !push(w, t->shape, t->shape_length, shape) ||
        !push_text(w, text, name))
        return false;
    t->place = w->scanner->envelope.place;
    snprintf(text, sizeof text, "%zu}", t->end - t->begin);
    return push_text(w, text, name);
}

/* How the tensor's parent compares with the path. */
static int compare_parent(const walk *w, const grad_safetensors_tensor *t)
{
    size_t shorter = grad_size_min(t->parent_length, w->path_length);
    int order = memcmp(t->name, w->path, shorter);

    return order != 0 ? order : (t->parent_length > shorter) - (w->path_length > shorter);
}

/* The first tensor whose parent is not before the path. */
static size_t find_first(const walk *w)
{
    size_t low = 0;
    size_t high = w->header->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_parent(w, &w->header->tensors[middle]) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those that belong into the object that is about to be closed. An object may have the path of one
 * before it, which took them all. */
static bool push_tensors(walk *w)
{
    level *object = &w->levels[w->depth];
    bool is_fine = true;

    w->path_length = object->base;
    if (w->path_length > PATH_SIZE)
        return true;
    for (size_t i = find_first(w); is_fine && i < w->header->count; i++) {
        grad_safetensors_tensor *t = &w->header->tensors[i];

        if (compare_parent(w, t) != 0 || t->place != 0)
            break;
        is_fine = push_tensor(w, t, !object->has_members);
        object->has_members = true;
    }
    return is_fine;
}

/* ---- The document ---------------------------------------------------------------------------- */

static void add_to_path(walk *w, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++, w->path_length++)
        if (w->path_length < PATH_SIZE)
            w->path[w->path_length] = bytes[i];
}

/* The path goes on behind that of the level. */
static void begin_token(walk *w)
{
    w->path_length = w->levels[w->depth].base;
    if (w->path_length > 0)
        add_to_path(w, ".", 1);
}

static void open_level(walk *w, bool is_array)
{
    level *outer = &w->levels[w->depth];
    char index[24];

    if (w->depth == GRAD_DEPTH_MAX)
        w->is_lost = true;
    if (w->is_lost)
        return;
    if (outer->is_array) {
        snprintf(index, sizeof index, "%zu", outer->index);
        begin_token(w);
        add_to_path(w, index, strlen(index));
    }
    w->levels[++w->depth] = (level){.base = w->path_length, .is_array = is_array};
    w->expects_name = !is_array;
}

static void close_level(walk *w)
{
    if (w->depth > 0)
        w->depth--;
    w->expects_name = false;
}

static void open_string(walk *w)
{
    w->in_string = true;
    w->is_name = w->expects_name;
    w->expects_name = false;
    if (!w->is_name)
        return;
    w->levels[w->depth].has_members = true;
    begin_token(w);
}

static void read_in_string(walk *w, char c)
{
    if (!w->in_escape && c == '"') {
        w->in_string = false;
        return;
    }
    if (w->is_name)
        add_to_path(w, &c, 1);
    w->in_escape = !w->in_escape && c == '\\';
}

static void read_outside(walk *w, char c)
{
    level *here = &w->levels[w->depth];

    switch (c) {
    case '"':
        open_string(w);
        break;
    case '{':
    case '[':
        open_level(w, c == '[');
        break;
    case '}':
    case ']':
        close_level(w);
        break;
    case ',':
        here->index++;
        w->expects_name = w->depth > 0 && !here->is_array;
        break;
    }
}

/* The next bytes of the document. */
static bool read_bytes(walk *w, const char *bytes, size_t length, int64_t offset)
{
    size_t begin = 0;

    for (size_t i = 0; i < length && !w->is_lost; i++) {
        if (w->in_string) {
            read_in_string(w, bytes[i]);
            continue;
        }
        if (bytes[i] == '}' && w->depth > 0 && !w->levels[w->depth].is_array) {
            if (!push(w, bytes + begin, i - begin, offset + (int64_t)begin) || !push_tensors(w))
                return false;
            begin = i;
        }
        read_outside(w, bytes[i]);
    }
    return push(w, bytes + begin, length - begin, offset + (int64_t)begin);
}

/* ---- The string that holds it ---------------------------------------------------------------- */

static bool read_document(walk *w)
{
    const grad_safetensors_header *h = w->header;
    const char *p = h->document, *end = p + h->document_length;

    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        const char *stop = escape != NULL ? escape : end;
        unsigned code = 0;
        char utf8[4];
        size_t bytes;

        if (!read_bytes(w, p, (size_t)(stop - p), grad_safetensors_offset(h, p)))
            return false;
        if (escape == NULL)
            break;
        p = escape + grad_safetensors_escape(escape, end, &code);
        bytes = grad_utf8_write(code, utf8);
        if (!read_bytes(w, utf8, bytes, grad_safetensors_offset(h, escape)))
            return false;
    }
    return true;
}

/* ---- What it cannot be ----------------------------------------------------------------------- */

static bool is_utf8(const grad_safetensors_header *h, grad_error *error)
{
    const char *end = h->text + h->length;

    for (const char *p = h->text; p < end;) {
        size_t length = grad_utf8_length(p, end);

        if (length == 0) {
            grad_fail_at_byte(
                error, GRAD_MALFORMED, "malformed_safetensors", grad_safetensors_offset(h, p), "",
                "expected UTF-8 in the header, found byte 0x%02X", (unsigned)(unsigned char)*p);
            return false;
        }
        p += length;
    }
    return true;
}

static bool has_document(const grad_safetensors_header *h, grad_error *error)
{
    if (h->document != NULL)
        return true;
    grad_fail_at_byte(error, GRAD_INVALID, "missing_field", GRAD_SAFETENSORS_PREFIX, "",
                      "expected the document without its tensors, as a text of JSON, in "
                      "__metadata__'s \"document\", found none");
    return false;
}

/* Whether each tensor has found its object; the first of the body that has none is told. */
static bool are_placed(const grad_safetensors_header *h, grad_error *error)
{
    const grad_safetensors_tensor *lost = NULL;
    char pointer[GRAD_POINTER_SIZE];
    int shown;

    for (size_t i = 0; i < h->count; i++)
        if (h->tensors[i].place == 0 && (lost == NULL || h->tensors[i].name < lost->name))
            lost = &h->tensors[i];
    if (lost == NULL)
        return true;
    shown = (int)grad_size_min(lost->parent_length, 60);
    grad_safetensors_pointer(lost, pointer);
    grad_fail_at_byte(error, GRAD_INVALID, "unknown_field", grad_safetensors_offset(h, lost->name),
                      pointer,
                      "expected the tensors of objects that the metadata's document has, found one "
                      "of %.*s, which it has not",
                      shown, lost->name);
    return false;
}

grad_status grad_safetensors_scan(grad_safetensors_header *header, grad_scanner *scanner)
{
    walk w = {.header = header, .scanner = scanner};
    grad_error *error = &scanner->error;

    if (!is_utf8(header, error) || !has_document(header, error) || !read_document(&w))
        return error->status;
    if (grad_scanner_end(scanner) == GRAD_OK)
        are_placed(header, error);
    scanner->offset = GRAD_SAFETENSORS_PREFIX + (int64_t)header->length;
    return error->status;
}
