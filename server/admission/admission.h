/* Everything that the headers alone can decide about a request, before its body is read. */
#ifndef GRADIENTD_ADMISSION_H
#define GRADIENTD_ADMISSION_H

#include "http/request.h"

/* Admits or rejects a request whose headers are there; a service's admit. */
void admission_run(request *r, const char *method, const char *version);

/* What the query says, of a request whose path is known; rejects what it may not say. */
void admission_read_query(request *r);

#endif
