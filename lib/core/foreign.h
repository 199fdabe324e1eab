/* What other libraries mean by names that are not taken here as they are: names of other functions,
 * or of one of ours with other defaults. Names that mean the same are synonyms, in the tables of
 * the functions themselves. */
#ifndef GRAD_CORE_FOREIGN_H
#define GRAD_CORE_FOREIGN_H

#include "core/suggest.h"

/* Lists of synonyms, for tables. */
#define GRAD_NO_SYNONYMS ((const char *const[]){NULL})
#define GRAD_SYNONYMS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef enum grad_vocabulary {
    GRAD_WORDS_OF_ACTIVATIONS,
    GRAD_WORDS_OF_LOSSES,
    GRAD_WORDS_OF_LAYER_TYPES,
    GRAD_VOCABULARY_COUNT
} grad_vocabulary;

/* What a name means elsewhere and what to write here, as a clause: "Keras's …, "x" is …". "": it
 * is a known function, and none that is here. NULL: no known name. Static storage. */
const char *grad_foreign_meaning(grad_vocabulary vocabulary, const char *name);

/* Whether a name is, as people spell it, a function's own or one of its synonyms. */
bool grad_vocabulary_has(grad_vocabulary vocabulary, const char *name, const char *own,
                         const char *const *synonyms);

/* Offers all foreign names, so that a slip of one is not taken for a slip of ours. */
void grad_foreign_offer(grad_vocabulary vocabulary, grad_suggestion *search);

#endif
