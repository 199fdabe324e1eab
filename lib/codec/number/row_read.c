/* Rows of decimal texts to float32. Where the machine has SSE2 (every x86-64) a number is taken in
 * whole vectors, without branches on its digits, with AVX2 four of them; all others, and whatever
 * is unusual, go one by one through grad_number_read. Errors are not diagnosed here: the row stops
 * in front of them. */
#include "codec/number/block_read.h"
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

/* Reads numbers in vectors, from p on, at most limit of them. *stop is where the next value is
 * expected, or, where *after_value says so, behind the last one and the white space there. */
GRAD_NUMBER_INLINE size_t read_run_inline(const char *begin, const char *p, const char *end,
                                          float *out, size_t capacity, size_t limit,
                                          const char **stop, bool *after_value)
{
    size_t count = 0;

    *after_value = false;
#if GRAD_NUMBER_SSE2
    while (count < capacity && count < limit && grad_vector_has_room(begin, p, end)) {
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
    (void)limit;
#endif
    *stop = p;
    return count;
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static size_t read_run_modern(const char *begin, const char *p, const char *end,
                                                 float *out, size_t capacity, size_t limit,
                                                 const char **stop, bool *after_value)
{
    return read_run_inline(begin, p, end, out, capacity, limit, stop, after_value);
}

#endif

/* A function of its own: among others its variables find no registers. */
__attribute__((noinline)) static size_t read_run(const char *begin, const char *p, const char *end,
                                                 float *out, size_t capacity, size_t limit,
                                                 const char **stop, bool *after_value)
{
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return read_run_modern(begin, p, end, out, capacity, limit, stop, after_value);
#endif
    return read_run_inline(begin, p, end, out, capacity, limit, stop, after_value);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

#if GRAD_NUMBER_TWICE

/* The bracket that opens the row whose first number is at p. */
static const char *find_bracket(const char *p)
{
    while (*p != '[')
        p--;
    return p;
}

/* Reads blocks as long as numbers are found. rows may be NULL: then brackets end them. */
GRAD_NUMBER_MODERN static size_t read_blocks_modern(const char *begin, const char *p,
                                                    const char *end, float *out, size_t capacity,
                                                    grad_number_rows *rows, const char **stop)
{
    grad_block block GRAD_UNINITIALIZED;
    size_t count = 0;

    while (capacity - count > 1 && p - begin >= GRAD_BLOCK_BEFORE && end - p >= 64) {
        size_t room = capacity - count - 1;
        size_t found = rows == NULL ? grad_block_find(p, end, 0, 0, &block)
                                    : grad_block_find(p, end, rows->columns, rows->filled, &block);
        size_t read = grad_block_convert(p, &block, found < room ? found : room, out + count);

        if (read == 0)
            break;
        count += read;
        if (rows != NULL) {
            size_t closed = (rows->filled + read) / rows->columns;

            rows->filled = (rows->filled + read) % rows->columns;
            rows->closed += closed;
            if (closed > 0)
                rows->bracket = find_bracket(p + block.starts[read - rows->filled]);
        }
        p += block.starts[read];
    }
    *stop = p;
    return count;
}

#endif

static size_t read_blocks(const char *begin, const char *p, const char *end, float *out,
                          size_t capacity, grad_number_rows *rows, const char **stop)
{
#if GRAD_NUMBER_TWICE
    if (capacity > 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return read_blocks_modern(begin, p, end, out, capacity, rows, stop);
#else
    (void)begin;
    (void)end;
    (void)out;
    (void)rows;
#endif
    (void)capacity;
    *stop = p;
    return 0;
}

size_t grad_number_rows_read(const char *begin, const char *text, const char *end, float *out,
                             size_t capacity, grad_number_rows *rows, const char **stop)
{
    rows->closed = 0;
    rows->bracket = NULL;
    return read_blocks(begin, text, end, out, capacity, rows, stop);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Numbers that are read in vectors before blocks are tried again: more where those find few. */
enum { RUN_MIN = 4, RUN_MAX = 64 };

size_t grad_number_row_read(const char *begin, const char *text, const char *end, float *out,
                            size_t capacity, const char **stop, bool *after_value)
{
    const char *p = grad_skip_space(text, end), *behind;
    size_t count = 0, limit = RUN_MIN;

    *after_value = false;
    while (count < capacity && p < end) {
        size_t in_blocks = read_blocks(begin, p, end, out + count, capacity - count, NULL, &p), run;

        count += in_blocks;
        limit = in_blocks >= RUN_MAX ? RUN_MIN : limit < RUN_MAX ? limit * 2 : RUN_MAX;
        run = read_run(begin, p, end, out + count, capacity - count, limit, &p, after_value);
        count += run;
        if (*after_value)
            break;
        if (run == limit)
            continue;
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
