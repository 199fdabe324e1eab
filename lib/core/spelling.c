/* Writing shapes as documents spell them. */
#include "core/spelling.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/size.h"

/* Numbers of a list that are written at most; of a longer one the last is "…". */
enum { LISTED = 4 };

static void add(grad_spelling_text *spelling, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What does not fit is cut off. */
static void add(grad_spelling_text *spelling, const char *format, ...)
{
    size_t used = strlen(spelling->text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(spelling->text + used, sizeof spelling->text - used, format, arguments);
    va_end(arguments);
}

/* Adds what stands before the i-th of count items. False where it is the rest of them. */
static bool begin_item(grad_spelling_text *spelling, size_t i, size_t count)
{
    bool is_rest = i == LISTED - 1 && count > LISTED;

    add(spelling, "%s%s", i > 0 ? "," : "", is_rest ? "…" : "");
    return !is_rest;
}

/* Adds a list of the numbers from first on. */
static void add_list(grad_spelling_text *spelling, size_t first, size_t count)
{
    add(spelling, "[");
    for (size_t i = 0; i < count && i < LISTED; i++)
        if (begin_item(spelling, i, count))
            add(spelling, "%zu", first + i);
    add(spelling, "]");
}

static void add_rows(grad_spelling_text *spelling, size_t rows, size_t columns)
{
    add(spelling, "[");
    for (size_t i = 0; i < rows && i < LISTED; i++)
        if (begin_item(spelling, i, rows))
            add_list(spelling, 1 + i * columns, columns);
    add(spelling, "]");
}

static bool is_rank_alone_wrong(const grad_tensor *found, const grad_tensor *expected)
{
    size_t count = 1;

    if (expected->rank < 1 || expected->rank > 2 || found->rank == expected->rank)
        return false;
    for (size_t axis = 0; axis < expected->rank; axis++)
        if (!grad_size_mul(count, expected->shape[axis], &count))
            return false;
    return count > 0 && count == grad_tensor_count(found);
}

grad_spelling_text grad_spelling_format(const grad_tensor *found, const grad_tensor *expected)
{
    grad_spelling_text spelling = {""};
    const size_t *n = expected->shape;
    grad_spelling_text shape = {""};

    if (!is_rank_alone_wrong(found, expected))
        return spelling;
    if (expected->rank == 1)
        add(&shape, "[%zu]", n[0]);
    else
        add(&shape, "[%zu,%zu]", n[0], n[1]);
    add(&spelling, "; %s is spelled ", shape.text);
    if (expected->rank == 1)
        add_list(&spelling, 1, n[0]);
    else
        add_rows(&spelling, n[0], n[1]);
    add(&spelling, " or {\"shape\": %s, \"data\": ", shape.text);
    add_list(&spelling, 1, grad_tensor_count(found));
    add(&spelling, "}");
    return spelling;
}

grad_spelling_text grad_spelling_of_rows(const grad_tensor *found, size_t columns)
{
    size_t count = grad_tensor_count(found);
    grad_tensor expected = {.rank = 2, .shape = {columns > 0 ? count / columns : 0, columns}};

    return grad_spelling_format(found, &expected);
}

grad_spelling_text grad_spelling_of_samples(const grad_tensor *found, size_t rows)
{
    grad_tensor expected = {.rank = 2,
                            .shape = {rows, rows > 0 ? grad_tensor_count(found) / rows : 0}};

    return grad_spelling_format(found, &expected);
}

grad_spelling_text grad_spelling_of_line(const grad_tensor *found)
{
    bool is_line = found->rank == 2 && (found->shape[0] == 1 || found->shape[1] == 1);
    grad_tensor expected = {.rank = 1, .shape = {is_line ? grad_tensor_count(found) : 0}};

    return grad_spelling_format(found, &expected);
}
