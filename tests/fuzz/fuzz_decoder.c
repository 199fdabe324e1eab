/* The decoder under a fuzzer: every input is decoded as each kind of request, whole and in pieces,
 * and compared with jansson's reading (tests/support/wire_oracle.h). Found inputs go to
 * tests/fuzz/corpus, which tests/unit/test_oracle_corpus.c replays for ever. */
#include <stdio.h>
#include <stdlib.h>

#include "support/wire_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < WIRE_FORMS; i++) {
        const char *wrong = wire_oracle_check(wire_forms[i], (const char *)data, size);

        if (wrong != NULL) {
            fprintf(stderr, "%s\n", wrong);
            abort();
        }
    }
    return 0;
}
