/* The nearest of some names, by the library's distance. */
#include "config/nearest.h"

#include <string.h>

#include "gradient.h"

void nearest_offer(nearest_search *search, const char *candidate)
{
    size_t distance = grad_name_distance(search->wanted, candidate);
    size_t longer = strlen(search->wanted);
    if (longer < strlen(candidate))
        longer = strlen(candidate);
    if (distance <= longer / 2 && (!search->best || distance < search->distance)) {
        search->best = candidate;
        search->distance = distance;
    }
}
