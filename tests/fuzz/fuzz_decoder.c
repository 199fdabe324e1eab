/* The decoder under a fuzzer: every input is decoded as each kind of request, whole and in pieces,
 * and compared with jansson's reading (tests/support/wire_oracle.h). Found inputs go to
 * tests/fuzz/corpus, which tests/unit/test_oracle_corpus.c replays for ever. With libFuzzer:
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib -Itests \
 *         tests/fuzz/fuzz_decoder.c tests/support/wire_[a-z]*.c lib/core/[a-z]*.c \
 *         lib/codec/number/[a-z]*.c lib/codec/json/[a-z]*.c lib/codec/document/[a-z]*.c \
 *         lib/kernels/[a-z]*.c -ljansson -lopenblas -lm -o build/fuzz_decoder
 *     build/fuzz_decoder -max_len=4096 build/fuzz tests/fuzz/corpus
 *
 * Under AFL++ the same file is built with afl-clang-fast and -fsanitize=fuzzer. */
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
