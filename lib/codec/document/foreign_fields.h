/* What other libraries call the members of our objects. They are not taken, only pointed at: most
 * differ in shape or in what they stand for, so who moves a document here must look once. */
#ifndef GRAD_CODEC_DOCUMENT_FOREIGN_FIELDS_H
#define GRAD_CODEC_DOCUMENT_FOREIGN_FIELDS_H

#include "codec/document/decode_fields.h"

typedef struct grad_foreign_field {
    const char *name, *field;
    const char *remark; /* how it differs from the field; "" where it does not */
} grad_foreign_field;

/* The row of a foreign name whose field is one of the count known ones; NULL: there is none. Static
 * storage. */
const grad_foreign_field *grad_foreign_field_find(const char *name, const grad_known_name *known,
                                                  size_t count);

#endif
