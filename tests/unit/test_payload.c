/* Bytes of tensors: base64 both ways against a naive reading, at every length and with every wrong
 * character at every place; and every FP16 and BF16, read, written and rounded. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/payload_cases.h"

int main(void)
{
    return run_payload_tests();
}
