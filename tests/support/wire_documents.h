/* Documents made at random, the same ones for the same seed. Not for several threads. */
#ifndef TESTS_SUPPORT_WIRE_DOCUMENTS_H
#define TESTS_SUPPORT_WIRE_DOCUMENTS_H

#include "support/wire_oracle.h"

/* Where the row of documents begins. With faults a tensor now and then holds something else than
 * numbers. */
void wire_seed(uint64_t seed, bool faults);

/* 0 <= wire_pick(n) < n. */
unsigned wire_pick(unsigned n);

/* A request of that kind in one of many spellings, which is right but for faults. */
void wire_make_request(grad_text *text, wire_kind kind);

/* JSON of any kind; depth 0 for a whole document. */
void wire_make_arbitrary(grad_text *text, unsigned depth);

/* One change to the text, whose array has room for a few more bytes. Returns its length. */
size_t wire_mutate(char *text, size_t length);

#endif
