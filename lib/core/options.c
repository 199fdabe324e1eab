/* Options of callers who were compiled with another version of their struct. */
#include <string.h>

#include "core/error.h"
#include "core/size.h"

/* Larger than any struct of options: a size that was never set. */
#define SIZE_MOST 4096

grad_status grad_options_read(const char *name, const void *given, void *options, grad_error *error)
{
    const unsigned char *bytes = given;
    size_t own, size;

    if (given == NULL)
        return GRAD_OK;
    memcpy(&own, options, sizeof own);
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > SIZE_MOST)
        return grad_fail(error, GRAD_INVALID, "bad_parameter", "",
                         "the size of a %s is %zu, expected %zu: start from its _INIT", name, size,
                         own);
    for (size_t i = own; i < size; i++)
        if (bytes[i] != 0)
            return grad_fail(error, GRAD_INVALID, "unsupported_value", "",
                             "a %s of %zu bytes sets a field behind the %zu that this version of "
                             "the library knows, expected zeros there",
                             name, size, own);
    memcpy((unsigned char *)options + sizeof size, bytes + sizeof size,
           grad_size_min(size, own) - sizeof size);
    return GRAD_OK;
}
