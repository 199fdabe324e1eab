/* The same of the loops without vectors, as other processors have them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GRAD_PAYLOAD_PORTABLE

#define grad_base64_decode portable_base64_decode
#define grad_base64_encode portable_base64_encode
#define grad_base64_value portable_base64_value
#define grad_binary_read portable_binary_read
#define grad_binary_write portable_binary_write
#define grad_binary_largest portable_binary_largest
#define grad_binary_is_exact portable_binary_is_exact
#define grad_wire_datatype_size portable_wire_datatype_size
#define grad_wire_datatype_name portable_wire_datatype_name
#define grad_wire_datatype_find portable_wire_datatype_find
#define grad_wire_datatype_of portable_wire_datatype_of

#include "codec/payload/base64.c"
#include "codec/payload/binary.c"

#include "support/payload_cases.h"

int main(void)
{
    return run_payload_tests();
}
