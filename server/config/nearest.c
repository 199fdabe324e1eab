/* The nearest of some names: optimal string alignment distance (Damerau 1964, restricted), by the
 * usual table of which three rows are kept. */
#include "config/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LONGEST 63

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b);
    if (length_a > LONGEST || length_b > LONGEST)
        return SIZE_MAX;
    /* rows[i % 3][j]: from the first i bytes of a to the first j of b. */
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= length_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            row[j] =
                least(least(row[j - 1], above[j]) + 1, above[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[length_a % 3][length_b];
}

void nearest_offer(nearest_search *search, const char *candidate)
{
    size_t distance = nearest_distance(search->wanted, candidate);
    size_t longer = strlen(search->wanted);
    if (longer < strlen(candidate))
        longer = strlen(candidate);
    if (distance <= longer / 2 && (!search->best || distance < search->distance)) {
        search->best = candidate;
        search->distance = distance;
    }
}
