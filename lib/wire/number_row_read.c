/* Rows of decimal texts to float32. Where the machine has SSE2 (every x86-64) a number is taken in
 * whole vectors, without branches on its digits; all others, and whatever is unusual, go one by one
 * through grad_number_read. Errors are not diagnosed here: the row stops in front of them. */
#include "wire/number_row.h"
#include "wire/number_vector.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The way for any number. NULL where it doesn't certainly end in [p, end), or is an error. */
static const char *read_any(const char *p, const char *end, float *value)
{
    const char *stop;

    if (grad_number_read(p, end, value, &stop) != GRAD_NUMBER_OK || stop == end)
        return NULL;
    return stop;
}

static inline const char *read_next(const char *text, const char *p, const char *end, float *value)
{
    const char *behind = grad_number_vector_read(text, p, end, value);

    return behind != NULL ? behind : read_any(p, end, value);
}

size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value)
{
    const char *p = skip_space(text, end), *behind;
    size_t count = 0;

    *after_value = false;
    while (count < capacity && p < end) {
        behind = read_next(text, p, end, &out[count]);
        if (behind == NULL)
            break;
        count++;
        p = skip_space(behind, end);
        *after_value = p == end || *p != ',' || count == capacity;
        if (*after_value)
            break;
        p = skip_space(p + 1, end);
    }
    *stop = p;
    return count;
}
