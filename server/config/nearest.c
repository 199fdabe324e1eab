/* The nearest of some names, by the library's distance. */
#include "config/nearest.h"

#include <string.h>

#include "gradient.h"

/* More would name another thing: read-timeout is no header-timeout. */
enum { MOST_EDITS = 2 };

void nearest_offer(nearest_search *search, const char *candidate)
{
    size_t distance = grad_name_distance(search->wanted, candidate);
    size_t longer = strlen(search->wanted);
    if (longer < strlen(candidate))
        longer = strlen(candidate);
    if (distance <= MOST_EDITS && distance <= longer / 4 &&
        (!search->best || distance < search->distance)) {
        search->best = candidate;
        search->distance = distance;
    }
}
