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

/* Reads numbers in vectors, from p on. *stop is where the next value is expected, or, where
 * *after_value says so, behind the last one and the white space there. */
GRAD_NUMBER_INLINE size_t read_run_inline(const char *begin, const char *p, const char *end,
                                          float *out, size_t capacity, const char **stop,
                                          bool *after_value)
{
    size_t count = 0;

    *after_value = false;
#if GRAD_NUMBER_SSE2
    while (count < capacity && grad_vector_has_room(begin, p, end)) {
        const char *behind = grad_vector_read(begin, p, end, &out[count]);

        if (behind == NULL || !grad_ends_value(*behind))
            break;
        count++;
        p = behind + 1;
        if (__builtin_expect(*behind != ',' || count == capacity, 0)) {
            p = grad_skip_space(behind, end);
            *after_value = p == end || *p != ',' || count == capacity;
            if (*after_value)
                break;
            p = grad_skip_space(p + 1, end);
        } else if (__builtin_expect(*p <= ' ', 0)) {
            p = grad_skip_space(p, end);
        }
    }
#else
    (void)begin;
    (void)end;
    (void)out;
    (void)capacity;
#endif
    *stop = p;
    return count;
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static size_t read_run_modern(const char *begin, const char *p, const char *end,
                                                 float *out, size_t capacity, const char **stop,
                                                 bool *after_value)
{
    return read_run_inline(begin, p, end, out, capacity, stop, after_value);
}

#endif

/* A function of its own: among others its variables find no registers. */
__attribute__((noinline)) static size_t read_run(const char *begin, const char *p, const char *end,
                                                 float *out, size_t capacity, const char **stop,
                                                 bool *after_value)
{
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return read_run_modern(begin, p, end, out, capacity, stop, after_value);
#endif
    return read_run_inline(begin, p, end, out, capacity, stop, after_value);
}

size_t grad_number_row_read(const char *begin, const char *text, const char *end, float *out,
                            size_t capacity, const char **stop, bool *after_value)
{
    const char *p = grad_skip_space(text, end), *behind;
    size_t count = 0;

    *after_value = false;
    while (count < capacity && p < end) {
        count += read_run(begin, p, end, out + count, capacity - count, &p, after_value);
        if (*after_value)
            break;
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
