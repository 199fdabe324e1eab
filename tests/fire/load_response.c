/* Reads responses as they come: the head, where the body ends, and whether the body is, byte for
 * byte, the one that was right before. */
#include "fire/load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header field, or NULL. */
static const char *field_value(const char *head, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " \t");
    }
    return NULL;
}

static load_progress read_head(load_response *response)
{
    const char *length, *connection;

    response->head[response->head_length] = '\0';
    if (strncmp(response->head, "HTTP/1.1 ", 9) != 0)
        return LOAD_MALFORMED;
    response->status = atoi(response->head + 9);
    if (response->status < 100 || response->status > 599)
        return LOAD_MALFORMED;
    if (response->status < 200) {
        response->status = 0;
        response->head_length = 0;
        return LOAD_MORE;
    }
    length = field_value(response->head, "Content-Length");
    connection = field_value(response->head, "Connection");
    response->body_length = length == NULL ? UINT64_MAX : strtoull(length, NULL, 10);
    response->closes =
        length == NULL || (connection != NULL && strncasecmp(connection, "close", 5) == 0);
    if (response->status == 204 || response->status == 304)
        response->body_length = 0;
    return response->body_length == 0 ? LOAD_WHOLE : LOAD_MORE;
}

/* Takes bytes of the head; *used says how many. */
static load_progress take_head(load_response *response, const char *data, size_t length,
                               size_t *used)
{
    for (*used = 0; *used < length;) {
        if (response->head_length + 1 == sizeof response->head)
            return LOAD_MALFORMED;
        response->head[response->head_length++] = data[(*used)++];
        if (response->head_length >= 4 &&
            memcmp(response->head + response->head_length - 4, "\r\n\r\n", 4) == 0) {
            load_progress progress = read_head(response);

            if (progress != LOAD_MORE || response->status != 0)
                return progress;
        }
    }
    return LOAD_MORE;
}

static load_progress take_body(load_response *response, const load_class *owner, const char *data,
                               size_t length)
{
    uint64_t missing = response->body_length - response->body_read;
    size_t kept = sizeof response->start - response->start_length;

    if (length > missing)
        return LOAD_MALFORMED;
    if (response->status == 200 && owner->reference != NULL)
        response->differs = response->differs ||
                            response->body_read + length > owner->reference_length ||
                            memcmp(owner->reference + response->body_read, data, length) != 0;
    memcpy(response->start + response->start_length, data, length < kept ? length : kept);
    response->start_length += length < kept ? length : kept;
    response->body_read += length;
    return response->body_read == response->body_length ? LOAD_WHOLE : LOAD_MORE;
}

load_progress load_response_take(load_response *response, const load_class *owner, const char *data,
                                 size_t length)
{
    load_progress progress = LOAD_MORE;
    size_t used = 0;

    if (response->status == 0)
        progress = take_head(response, data, length, &used);
    if (progress == LOAD_MORE && used < length)
        progress = take_body(response, owner, data + used, length - used);
    else if (progress == LOAD_WHOLE && used < length)
        progress = LOAD_MALFORMED;
    if (progress == LOAD_WHOLE && response->status == 200 && owner->reference != NULL)
        response->differs = response->differs || response->body_read != owner->reference_length;
    return progress;
}

bool load_response_ends_by_close(const load_response *response)
{
    return response->status != 0 && response->body_length == UINT64_MAX;
}
