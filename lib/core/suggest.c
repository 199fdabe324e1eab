/* Names as people spell them: folding, distance, and the rule of what is a slip. */
#include "core/suggest.h"

#include <stdint.h>
#include <string.h>

#include "core/size.h"
#include "gradient_core.h"

#define LONGEST 63

typedef struct folded {
    char text[LONGEST + 1];
    size_t length;
} folded;

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Without '-', '_' and spaces, in small letters. False: it is too long to be any name. */
static bool fold(const char *name, const char *ending, folded *result)
{
    size_t cut = strlen(ending);

    result->length = 0;
    for (; *name != '\0'; name++) {
        if (strchr("-_ ", *name) != NULL)
            continue;
        if (result->length == LONGEST)
            return false;
        result->text[result->length++] = lower(*name);
    }
    result->text[result->length] = '\0';
    if (result->length > cut && strcmp(result->text + result->length - cut, ending) == 0)
        result->text[result->length -= cut] = '\0';
    return true;
}

bool grad_name_same(const char *a, const char *b, const char *ending)
{
    folded x, y;

    return fold(a, ending, &x) && fold(b, ending, &y) && strcmp(x.text, y.text) == 0;
}

/* Optimal string alignment distance (Damerau 1964, restricted), by the usual table of which three
 * rows are kept: rows[i % 3][j] is from the first i bytes of a to the first j of b. */
static size_t distance_of(const folded *a, const folded *b)
{
    size_t rows[3][LONGEST + 1];

    for (size_t j = 0; j <= b->length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a->length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b->length; j++) {
            const char *p = a->text + i - 1, *q = b->text + j - 1;

            row[j] =
                grad_size_min(grad_size_min(row[j - 1], above[j]) + 1, above[j - 1] + (*p != *q));
            if (i > 1 && j > 1 && *p == q[-1] && p[-1] == *q)
                row[j] = grad_size_min(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a->length % 3][b->length];
}

size_t grad_name_distance(const char *a, const char *b)
{
    folded x, y;

    return fold(a, "", &x) && fold(b, "", &y) ? distance_of(&x, &y) : SIZE_MAX;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether both have the same digits in the same order. */
static bool same_digits(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a != '\0' && !is_digit(*a))
            a++;
        while (*b != '\0' && !is_digit(*b))
            b++;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
    }
}

/* Whether every byte of each is somewhere in the other. */
static bool same_letters(const char *a, const char *b)
{
    return strspn(a, b) == strlen(a) && strspn(b, a) == strlen(b);
}

static bool is_plural(const folded *a, const folded *b)
{
    return a->length == b->length + 1 && a->text[b->length] == 's' &&
           memcmp(a->text, b->text, b->length) == 0;
}

/* Edits that a slip of known may have. */
static size_t most_edits(const folded *known)
{
    enum { LONG = 12 };

    return known->length < LONG ? 1 : 2;
}

static bool is_slip(const folded *wanted, const folded *known)
{
    enum { SHORT = 6 };

    return same_digits(wanted->text, known->text) &&
           (known->length >= SHORT || same_letters(wanted->text, known->text) ||
            is_plural(wanted, known));
}

/* What is near and no slip competes all the same: eelu is as near to celu as to elu. */
void grad_suggestion_offer(grad_suggestion *search, const char *spelling, const char *stands_for)
{
    folded wanted, known;
    size_t distance;

    if (!fold(search->wanted, "", &wanted) || !fold(spelling, "", &known))
        return;
    distance = distance_of(&wanted, &known);
    if (distance > most_edits(&known) || (search->found && distance > search->distance))
        return;
    if (distance > 0 && !is_slip(&wanted, &known))
        stands_for = NULL;
    if (search->found && distance == search->distance) {
        search->ambiguous |= search->best != stands_for;
        return;
    }
    *search = (grad_suggestion){search->wanted, stands_for, distance, true, false};
}

const char *grad_suggestion_best(const grad_suggestion *search)
{
    return search->found && !search->ambiguous ? search->best : NULL;
}
