/* Running out of memory inside a token looks like bad syntax to jansson, so bad syntax is believed
 * when it is found twice. */
#include "wire/json_load.h"

#include <string.h>

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
