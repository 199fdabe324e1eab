/* An assertion that cmocka 2 took away: assert_in_range is deprecated there, and what stands in its
 * place is unknown to cmocka 1. */
#ifndef TESTS_SUPPORT_BETWEEN_H
#define TESTS_SUPPORT_BETWEEN_H

#include <stddef.h>

/* Ends the test unless least <= value <= most, all of them counts. */
#define assert_between(value, least, most)                                                         \
    assert_count_between((size_t)(value), (size_t)(least), (size_t)(most), #value, __FILE__,       \
                         __LINE__)

/* The function behind assert_between, which says what was found, and where. */
void assert_count_between(size_t value, size_t least, size_t most, const char *what,
                          const char *file, int line);

#endif
