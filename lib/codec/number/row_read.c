/* Rows of decimal texts to float32. Where the machine has SSE2 (every x86-64) a number is taken in
 * whole vectors, without branches on its digits; all others, and whatever is unusual, go one by one
 * through grad_number_read. Errors are not diagnosed here: the row stops in front of them. */
#include "codec/number/number.h"
#include "codec/number/vector.h"

/* The way for any number. NULL where it doesn't certainly end in [p, end), or is an error. */
static const char *read_any(const char *p, const char *end, float *value)
{
    const char *stop;

    if (grad_number_read(p, end, value, &stop) != GRAD_NUMBER_OK || stop == end)
        return NULL;
    return stop;
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static size_t read_run_modern(const char *text, const char *p, const char *end,
                                                 float *out, size_t capacity, const char **stop)
{
    return grad_vector_run(text, p, end, out, capacity, stop);
}

#endif

/* As many numbers as the fast way takes, each with its comma; perhaps none. */
static size_t read_run(const char *text, const char *p, const char *end, float *out,
                       size_t capacity, const char **stop)
{
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return read_run_modern(text, p, end, out, capacity, stop);
#endif
#if GRAD_NUMBER_SSE2
    return grad_vector_run(text, p, end, out, capacity, stop);
#else
    (void)text;
    (void)end;
    (void)out;
    (void)capacity;
    *stop = p;
    return 0;
#endif
}

size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value)
{
    const char *p = grad_skip_space(text, end), *behind;
    size_t count = 0;

    *after_value = false;
    while (count < capacity && p < end) {
        count += read_run(text, p, end, out + count, capacity - count - 1, &p);
        p = grad_skip_space(p, end);
        behind = read_any(p, end, &out[count]);
        if (behind == NULL)
            break;
        count++;
        p = grad_skip_space(behind, end);
        *after_value = p == end || *p != ',' || count == capacity;
        if (*after_value)
            break;
        p = grad_skip_space(p + 1, end);
    }
    *stop = p;
    return count;
}
