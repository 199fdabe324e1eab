/* Running out of memory inside a token looks like bad syntax to jansson, so bad syntax is believed
 * when it is found twice. */
#include "codec/json/load.h"

#include <string.h>

#include "codec/json/explain.h"
#include "core/error.h"

json_t *grad_json_load(const char *text, size_t length, size_t flags, json_error_t *found)
{
    json_error_t again = {0};
    json_t *root;

    *found = (json_error_t){0};
    root = json_loadb(text, length, flags, found);
    if (root != NULL || found->text[0] == '\0')
        return root;
    root = json_loadb(text, length, flags, &again);
    if (root != NULL || strcmp(found->text, again.text) != 0)
        *found = (json_error_t){0};
    json_decref(root);
    return NULL;
}

/* What is wrong with it: in our words. */
static grad_status fail_text(const char *text, size_t length, const json_error_t *found,
                             grad_error *error)
{
    const char *code = "malformed_json";
    char detail[GRAD_DETAIL_SIZE];
    size_t position;

    switch (json_error_code(found)) {
    case json_error_numeric_overflow:
        return grad_fail_at_byte(error, GRAD_MALFORMED, code, found->position, "",
                                 "expected numbers that a double can hold, found a larger one");
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return grad_fail_at_byte(error, GRAD_MALFORMED, code, found->position, "",
                                 "expected no \\u0000 in a string, found one");
    default:
        grad_json_explain(text, length, &position, detail, sizeof detail);
        return grad_fail_at_byte(error, GRAD_MALFORMED, code, (int64_t)position, "", "%s", detail);
    }
}

grad_status grad_json_read(const char *text, size_t length, json_t **root, grad_error *error)
{
    json_error_t found;
    json_t *read = grad_json_load(text, length, JSON_DECODE_ANY, &found);

    if (read == NULL && found.text[0] == '\0')
        return grad_fail_memory(error, length);
    if (read == NULL)
        return fail_text(text, length, &found, error);
    *root = read;
    return GRAD_OK;
}
