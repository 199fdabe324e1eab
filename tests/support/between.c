/* An assertion on a count, for every version of cmocka. */
#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

void assert_count_between(size_t value, size_t least, size_t most, const char *what,
                          const char *file, int line)
{
    if (value >= least && value <= most)
        return;
    print_error("%s is %zu, expected %zu to %zu\n", what, value, least, most);
    _fail(file, line);
}
